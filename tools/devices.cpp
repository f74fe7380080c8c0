// limulus devices: what there is to compute on, and what each device supports.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "core/printable.h"
#include "tools/commands.h"
#include "tools/plugin.h"
#include "tools/terminal.h"

namespace limulus::tools {
namespace {

void print_json(const std::vector<DeviceInfo>& devices) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const DeviceInfo& d : devices) {
    nlohmann::ordered_json facts = nlohmann::ordered_json::object();
    for (const auto& [what, value] : d.facts) facts[what] = value;
    all.push_back({{"name", d.name}, {"description", d.description}, {"facts", facts}});
    if (!d.refused.empty()) all.back()["refused"] = d.refused;
  }
  fmt::print("{}\n", json_text(all));
}

void print_text(const std::vector<DeviceInfo>& devices) {
  bool opencl = false;
  for (const DeviceInfo& d : devices) {
    fmt::print("{:<12} {}\n", d.name, printable(d.description));
    for (const auto& [what, value] : d.facts)
      fmt::print("{:<12}   {:<11} {}\n", "", what, printable(value));
    if (!d.refused.empty()) fmt::print("{:<12}   REFUSED     {}\n", "", printable(d.refused));
    opencl = opencl || d.name.starts_with("opencl");
  }
  fmt::print("\nA part of the processor's threads is a device too: cpu:0/2 and cpu:1/2.\n");
  const std::vector<std::string> troubles = driver_troubles();
  for (const std::string& trouble : troubles) fmt::print("OpenCL: {}\n", trouble);
  if (opencl)
    fmt::print(
        "So is a part of an OpenCL device: opencl:0/2 and opencl:1/2 of the first one, "
        "opencl:1:0/2 of another.\n");
  else
#ifdef LIMULUS_OPENCL
    fmt::print(
        "There is no OpenCL device{}: Debian's pocl-opencl-icd is one on the processor; a GPU's "
        "is in its maker's driver.\n",
        troubles.empty() ? "" : " that works");
#else
    fmt::print(
        "This build has no OpenCL backend: it is built where Debian's opencl-headers, "
        "opencl-clhpp-headers and ocl-icd-opencl-dev are installed.\n");
#endif
}

}  // namespace

void add_devices(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  CLI::App* c = app.add_subcommand("devices", "List the devices that --device takes");
  c->footer("Example: limulus devices\n         LIMULUS_ISA=avx2 limulus devices");
  c->add_flag("--json", *json, "As JSON");
  // Loaded where it stands, so that its devices are in the list.
  c->add_option_function<std::string>(
      "--plugin", [](const std::string& file) { load_plugin(file); },
      "A shared object with devices of your own (docs/kernel.md)");
  c->callback([json] {
    StatusLine line;
    line.draw("checking what OpenCL devices compute; the first time it takes some seconds ...");
    const std::vector<DeviceInfo> devices = list_devices(/*checked=*/true);
    line.clear();
    *json ? print_json(devices) : print_text(devices);
  });
}

}  // namespace limulus::tools
