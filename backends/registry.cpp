#include "backends/registry.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include "backends/cpu/cpu_backend.h"
#ifdef LIMULUS_OPENCL
#include "backends/opencl/opencl_backend.h"
#endif
#include "backends/queued.h"
#include "backends/reference/reference_backend.h"
#include "core/error.h"

namespace limulus {
namespace {

struct Part {
  int index = 0, count = 1;  // "0/2": the first of two
};

// nullopt unless `text` is exactly "index/count", as printed.
std::optional<Part> parse_part(std::string_view text) {
  Part part;
  const char* end = text.data() + text.size();
  const auto [slash, error] = std::from_chars(text.data(), end, part.index);
  if (error != std::errc() || slash == end || *slash != '/') return std::nullopt;
  if (std::from_chars(slash + 1, end, part.count).ec != std::errc()) return std::nullopt;
  // Printing it again refuses what from_chars overlooks: "00/2", "0/2x". One name, one backend.
  if (text != fmt::format("{}/{}", part.index, part.count)) return std::nullopt;
  return part;
}

// ---- the list: how to make a backend of each family. `rest` is what follows "family:"
// ------------

std::unique_ptr<Backend> make_reference(const std::string& name, std::string_view rest) {
  if (!rest.empty()) {
    throw DeviceError(fmt::format(
        "device \"{}\": the reference backend has no parts; its name is \"reference\"", name));
  }
  return std::make_unique<ReferenceBackend>(name);
}

// All threads of the processor, or one of up to 64 equal parts of them, each of at least one
// thread and with a queue, so that parts compute at the same time.
std::unique_ptr<Backend> make_cpu(const std::string& name, std::string_view rest) {
  constexpr int most_parts = 64;
  Part part;
  if (!rest.empty()) {
    const std::optional<Part> parsed = parse_part(rest);
    if (!parsed || parsed->count < 1 || parsed->count > most_parts) {
      throw DeviceError(
          fmt::format("device \"{}\": a part of the processor is named cpu:i/n, as "
                      "cpu:0/2 and cpu:1/2, with n from 1 to {}",
                      name, most_parts));
    }
    part = *parsed;
    if (part.index < 0 || part.index >= part.count) {
      throw DeviceError(
          fmt::format("device \"{}\": of {} parts, the first is cpu:0/{} and the "
                      "last is cpu:{}/{}",
                      name, part.count, part.count, part.count - 1, part.count));
    }
  }
  std::unique_ptr<Backend> backend;
  if (cpu_instruction_set().empty()) {  // a processor without AVX2 is slow, but not refused
    backend = std::make_unique<ReferenceBackend>(name);
  } else {
    const int all = cpu_default_threads();
    const int mine = all * (part.index + 1) / part.count - all * part.index / part.count;
    backend = std::make_unique<CpuBackend>(mine > 0 ? mine : 1, name);
  }
  return rest.empty() ? std::move(backend) : std::make_unique<QueuedBackend>(std::move(backend));
}

#ifdef LIMULUS_OPENCL
std::unique_ptr<Backend> make_opencl(const std::string& name, std::string_view) {
  return std::make_unique<OpenClBackend>(name);
}
#endif

struct Family {
  const char* name;
  std::unique_ptr<Backend> (*make)(const std::string& name, std::string_view rest);
};
constexpr Family families[] = {
    {"cpu", make_cpu},
    {"reference", make_reference},
#ifdef LIMULUS_OPENCL
    {"opencl", make_opencl},
#endif
};

// ---- looking one up -----------------------------------------------------------------------------

std::unique_ptr<Backend> make(const std::string& name, const std::vector<std::string>& added) {
  const std::size_t colon = name.find(':');
  const std::string family_name = name.substr(0, colon);
  const bool has_rest = colon != std::string::npos && colon + 1 < name.size();
  const bool dangling = colon != std::string::npos && !has_rest;  // "cpu:"
  std::string known;
  for (const Family& family : families) {
    if (family_name == family.name && !dangling) {
      return family.make(name, has_rest ? std::string_view(name).substr(colon + 1) : "");
    }
    known += (known.empty() ? "" : ", ") + std::string(family.name);
  }
  if (family_name == "opencl") {
    throw DeviceError(
        fmt::format("device \"{}\": this build has no OpenCL backend; devices: {}; to have it, "
                    "install OpenCL (Debian: opencl-headers, opencl-clhpp-headers, "
                    "ocl-icd-opencl-dev, pocl-opencl-icd) and build again",
                    name, known));
  }
  for (const std::string& other : added) known += ", " + other;
  throw DeviceError(fmt::format(
      "device \"{}\": there is none of that name; devices: {}, and parts as cpu:0/2", name, known));
}

struct Registry {
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<Backend>> backends;  // those in use, by name
  std::vector<std::string> added;                            // of these, those from outside
  ReferenceBackend fallback{"reference", /*traced=*/false};

  Registry() { set_fallback_backend(&fallback); }
};

// Never destroyed: a tensor with static storage may be, later than anything made here would be.
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
  if (name.empty() || name.find_first_of(", ") != std::string::npos)
    throw ValueError(fmt::format(
        "add_device: \"{}\" is not a name for --device; take letters, digits, - and _", name));
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

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> devices;
  for (const char* name : {"cpu", "reference"})
    devices.push_back({name, device(name).description()});
#ifdef LIMULUS_OPENCL
  for (const OpenClDevice& d : opencl_devices())
    devices.push_back({d.name, d.description, d.facts});
#endif
  for (const std::string& name : added_devices())
    devices.push_back({name, device(name).description()});
  return devices;
}

}  // namespace limulus
