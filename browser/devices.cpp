// The registry of devices (backends/registry.h) where there is the reference backend alone: one
// thread, no instruction sets to choose from, no drivers to ask.
#include <fmt/format.h>

#include "backends/reference/reference_backend.h"
#include "backends/registry.h"
#include "core/error.h"
#include "core/printable.h"

namespace limulus {

Backend& device(const std::string& name) {
  static ReferenceBackend* const reference = [] {  // never destroyed, like the registry
    auto* backend = new ReferenceBackend;
    set_fallback_backend(new ReferenceBackend("reference", /*traced=*/false));
    return backend;
  }();
  if (name != "reference")
    throw DeviceError(fmt::format(
        "device \"{}\": in a browser there is the reference backend alone", printable(name)));
  return *reference;
}

}  // namespace limulus
