#pragma once
// --plugin FILE: devices from a shared object (backends/plugin.h).
#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

namespace limulus::tools {

// Loads it, and returns the names of the devices that it added: one or more. They stay until the
// program ends. Error, with the reason and what to do, where it is no plugin, was compiled with
// other headers, or fails.
std::vector<std::string> load_plugin(const std::filesystem::path& file);

// Adds the option to a command that has an option --device with the value `device`. Where --device
// is not given, it becomes the plugin's first.
void add_plugin_option(CLI::App& command, std::string& device);

}  // namespace limulus::tools
