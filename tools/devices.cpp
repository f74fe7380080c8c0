// limulus devices: what there is to compute on.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "backends/registry.h"
#include "tools/commands.h"

namespace limulus::tools {

void add_devices(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  CLI::App* c = app.add_subcommand("devices", "List the devices that --device takes");
  c->footer("Example: limulus devices\n         LIMULUS_ISA=avx2 limulus devices");
  c->add_flag("--json", *json, "As JSON");
  c->callback([json] {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const DeviceInfo& d : list_devices()) {
      if (*json)
        all.push_back({{"name", d.name}, {"description", d.description}});
      else
        fmt::print("{:<12} {}\n", d.name, d.description);
    }
    if (*json)
      fmt::print("{}\n", all.dump(2));
    else
      fmt::print("\nA part of the processor's threads is a device too: cpu:0/2 and cpu:1/2.\n");
  });
}

}  // namespace limulus::tools
