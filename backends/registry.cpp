#include "backends/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <memory>
#include <mutex>

#include "backends/cpu/cpu_backend.h"
#include "backends/device_name.h"
#ifdef LIMULUS_OPENCL
#include "backends/opencl/opencl_backend.h"
#endif
#include "backends/queued.h"
#include "backends/reference/reference_backend.h"
#include "core/error.h"

namespace limulus {
namespace {

// ---- the list: how to make a backend of each family ---------------------------------------------

std::unique_ptr<Backend> make_reference(const std::string& name, const DeviceName&) {
  return std::make_unique<ReferenceBackend>(name);
}

// All threads of the processor, or one of some equal parts of them, each of at least one thread and
// with a queue, so that parts compute at the same time.
std::unique_ptr<Backend> make_cpu(const std::string& name, const DeviceName& parsed) {
  std::unique_ptr<Backend> backend;
  if (cpu_instruction_set().empty()) {  // a processor without AVX2 is slow, but not refused
    backend = std::make_unique<ReferenceBackend>(name);
  } else {
    const int all = cpu_default_threads(), part = parsed.part, parts = parsed.parts;
    const int mine = all * (part + 1) / parts - all * part / parts;
    const int threads = !parsed.is_part ? 0
                        : mine > 0      ? mine
                                        : 1;  // 0: all, and the description says why so many
    backend = std::make_unique<CpuBackend>(threads, name);
  }
  return parsed.is_part ? std::make_unique<QueuedBackend>(std::move(backend)) : std::move(backend);
}

#ifdef LIMULUS_OPENCL
std::unique_ptr<Backend> make_opencl(const std::string& name, const DeviceName&) {
  return std::make_unique<OpenClBackend>(name);
}
#endif

struct Family {
  const char* name;
  std::unique_ptr<Backend> (*make)(const std::string& name, const DeviceName& parsed);
};
constexpr Family families[] = {
    {"cpu", make_cpu},
    {"reference", make_reference},
#ifdef LIMULUS_OPENCL
    {"opencl", make_opencl},
#endif
};

// ---- looking one up -----------------------------------------------------------------------------

// For a message: the names that could have been meant.
std::vector<std::string> existing_names(const std::vector<std::string>& added) {
  std::vector<std::string> names = {"cpu", "reference"};
#ifdef LIMULUS_OPENCL
  for (const OpenClDevice& d : opencl_devices().devices) names.push_back(d.name);
#endif
  names.insert(names.end(), added.begin(), added.end());
  return names;
}

std::unique_ptr<Backend> make(const std::string& name, const std::vector<std::string>& added) {
  DeviceName parsed;
  std::string why;
  if (!parse_device_name(name, parsed, why))
    throw wrong_device_name(name, why, existing_names(added));
  for (const Family& family : families)
    if (parsed.family == family.name) return family.make(name, parsed);
  throw DeviceError(
      fmt::format("device \"{}\": this build has no OpenCL backend; here there are {}. To have it, "
                  "install OpenCL (Debian: opencl-headers, opencl-clhpp-headers, "
                  "ocl-icd-opencl-dev, pocl-opencl-icd) and build again",
                  name, fmt::join(existing_names(added), ", ")));
}

struct Registry {
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<Backend>> backends;  // those in use, by name
  std::vector<std::string> added;                            // of these, those from outside
  ReferenceBackend fallback{"reference", /*traced=*/false};

  Registry() { set_fallback_backend(&fallback); }
};

// Never destroyed: a tensor with static storage may be destroyed later than anything made here.
Registry& registry() {
  static Registry* instance = new Registry;
  return *instance;
}

}  // namespace

Backend& device(const std::string& name) {
  if (name == "opencl") return device("opencl:0");  // the first one, in short
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  const auto found = r.backends.find(name);
  if (found != r.backends.end()) return *found->second;
  return *r.backends.emplace(name, make(name, r.added)).first->second;
}

Backend& add_device(std::unique_ptr<Backend> backend) {
  if (backend == nullptr) throw ValueError("add_device: there is no backend: the pointer is null");
  const std::string name = backend->name();
  const char* letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/";
  if (name.empty() || name.find_first_not_of(letters) != std::string::npos)
    throw ValueError(fmt::format(
        "add_device: \"{}\" is not a name for --device; take letters, digits and - _ . : /", name));
  bool taken = false;
  for (const Family& family : families) taken |= name.substr(0, name.find(':')) == family.name;
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  if (taken || r.backends.contains(name))
    throw ValueError(fmt::format("add_device: there is a device \"{}\" already", name));
  r.added.push_back(name);
  return *r.backends.emplace(name, std::move(backend)).first->second;
}

std::vector<std::string> added_devices() {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  return r.added;
}

std::vector<Backend*> devices(const std::string& names) {
  std::vector<Backend*> all;
  for (std::size_t begin = 0; begin != std::string::npos;) {
    const std::size_t comma = names.find(',', begin);
    all.push_back(&device(names.substr(begin, comma - begin)));  // npos: to the end
    begin = comma == std::string::npos ? comma : comma + 1;
  }
  if (all.size() > 2)
    throw DeviceError(
        fmt::format("device \"{}\": {} devices; a network has one, or two as in cpu:0/2,cpu:1/2",
                    names, all.size()));
  return all;
}

std::string description_of(const std::string& names) {
  std::string text;
  for (const Backend* backend : devices(names))
    text += (text.empty() ? "" : "; and ") + backend->description();
  return text;
}

void set_device_threads(int threads) {
  if (threads < 1)
    throw ValueError(fmt::format("threads: {} threads compute nothing; give 1 or more", threads));
  std::vector<std::string> names = added_devices();
  names.emplace_back("cpu");
  for (const std::string& name : names)
    if (auto* cpu = dynamic_cast<CpuBackend*>(&device(name))) cpu->set_threads(threads);
}

std::vector<DeviceInfo> list_devices([[maybe_unused]] bool checked) {
  std::vector<DeviceInfo> devices;
  for (const char* name : {"cpu", "reference"})
    devices.push_back({name, device(name).description()});
#ifdef LIMULUS_OPENCL
  for (const OpenClDevice& d : opencl_devices(checked).devices)
    devices.push_back({d.name, d.description, d.facts, d.refused});
#endif
  for (const std::string& name : added_devices())
    devices.push_back({name, device(name).description()});
  return devices;
}

std::vector<std::string> driver_troubles() {
#ifdef LIMULUS_OPENCL
  return opencl_devices().troubles;
#else
  return {};
#endif
}

}  // namespace limulus
