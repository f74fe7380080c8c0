#include "tools/plugin.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <memory>

#include "backends/plugin_stamp.h"
#include "backends/registry.h"
#include "core/error.h"
#include "formats/read_file.h"

namespace limulus::tools {
namespace {

namespace fs = std::filesystem;

#ifndef LIMULUS_STATIC
// "undefined symbol: _ZN7limulus3fooEv" with the name as it stands in the source.
std::string readable(std::string message) {
  const std::string before = "undefined symbol: ";
  const std::size_t found = message.find(before);
  if (found == std::string::npos) return message;
  const std::size_t begin = found + before.size();
  const std::string symbol = message.substr(begin, message.find_first_of(" ,(", begin) - begin);
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
  if (status == 0) message.replace(begin, symbol.size(), name.get());
  return message + ": it is declared, but neither this plugin nor limulus defines it";
}
#endif

}  // namespace

#ifdef LIMULUS_STATIC
std::vector<std::string> load_plugin(const fs::path& file) {
  throw Error(
      file.string() +
      " cannot be loaded: this program is linked statically; take one that ./run has built");
}
#else

std::vector<std::string> load_plugin(const fs::path& file) {
  const std::string name = file.string();
  const auto fail = [&](const std::string& why) { throw Error("plugin " + name + ": " + why); };
  struct stat found;
  if (::stat(file.c_str(), &found) != 0)
    fail(errno == ENOENT ? "there is no such file" : system_message(errno));
  if (!S_ISREG(found.st_mode)) fail("it " + kind_of(found.st_mode));
  // RTLD_NOW: what is missing is said here, and not in the middle of a training. An absolute path:
  // dlopen would look for a name without a slash among the system's libraries.
  void* plugin = dlopen(fs::absolute(file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) fail("it cannot be loaded: " + readable(dlerror()));
  const auto* stamp = static_cast<const char* const*>(dlsym(plugin, "limulus_plugin_stamp"));
  if (stamp == nullptr)
    fail("this is not a plugin: it does not include <limulus/backends/plugin.h>");
  if (const std::string theirs = *stamp; theirs != plugin_stamp)
    fail(fmt::format(
        "it was compiled with the headers of {}, but this program is {}; build it again "
        "with this one's headers",
        theirs, plugin_stamp));
  const auto entry = reinterpret_cast<void (*)()>(dlsym(plugin, "limulus_plugin"));
  if (entry == nullptr)
    fail(
        "it does not define void limulus_plugin(), which adds its devices "
        "(<limulus/backends/plugin.h>)");
  const std::size_t before = added_devices().size();
  try {
    entry();
  } catch (const std::exception& e) {
    fail(fmt::format("limulus_plugin() failed: {}", e.what()));
  } catch (...) {
    fail("limulus_plugin() failed with an exception that is not a std::exception");
  }
  const std::vector<std::string> all = added_devices();
  if (all.size() == before)
    fail("limulus_plugin() added no device: call limulus::add_device in it");
  return {all.begin() + static_cast<std::ptrdiff_t>(before), all.end()};
}
#endif

void add_plugin_option(CLI::App& command, std::string& device) {
  const CLI::Option* chosen = command.get_option("--device");
  command.add_option_function<std::string>(
      "--plugin",
      [&device, chosen](const std::string& file) {
        const std::vector<std::string> added = load_plugin(file);
        if (chosen->count() == 0) device = added.front();
      },
      "A shared object with devices of your own; the first one is the device, if none is named");
}

}  // namespace limulus::tools
