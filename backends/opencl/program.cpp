// Building programs, and telling why one does not build.
#include "backends/opencl/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <regex>
#include <sstream>

#include "backends/opencl/cache.h"
#include "backends/opencl/devices.h"
#include "core/environment.h"
#include "formats/read_file.h"

namespace limulus::opencl {
namespace {

// The files under their own names, so that the compiler's messages count their lines. A line
// #include "tile.cl" is replaced by that file here: an OpenCL compiler has no folder to look in.
// `outer`: the files that this one is included by, "gemm.cl, ".
std::string with_includes(const std::string& name, const std::string& outer = "") {
  if ((", " + outer).find(", " + name + ".cl, ") != std::string::npos)
    throw FileError(fmt::format("{}.cl includes itself, by way of {}{}.cl", name, outer, name));
  std::string text = fmt::format("#line 1 \"{}.cl\"\n", name), line;
  std::istringstream lines(source_text(name));
  static const std::regex include(R"re(\s*#\s*include\s*"(\w+)\.cl"\s*)re");
  std::smatch match;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (std::regex_match(line, match, include))
      text += fmt::format("{}#line {} \"{}.cl\"\n", with_includes(match[1], outer + name + ".cl, "),
                          number + 1, name);
    else
      text += line + "\n";
  }
  return text;
}

std::string whole_text(const std::string& family) {
  const std::string common = with_includes("common");  // first: an error names what is missing
  return common + with_includes(family);
}

// The lines around the first error that the log names: "gemm.cl:12:5: error: ..." as clang says it,
// "error: gemm.cl:12:5: ..." as PoCL does, or with <program source> for the name.
std::string excerpt(const std::string& log, const std::string& family) {
  static const std::regex before(R"(error: *([^:\n]*):(\d{1,6}))"),
      after(R"(([^:\n]*):(\d{1,6}):(\d+:)? *(fatal )?error)");
  std::smatch match;
  if (!std::regex_search(log, match, before) && !std::regex_search(log, match, after)) return "";
  std::string name = family, source = source_text(family);
  const std::string place = match[1];
  static const std::regex stem(R"((\w+)\.cl$)");
  std::smatch file;
  if (std::regex_search(place, file, stem)) {
    try {
      source = source_text(file[1]);
      name = file[1];
    } catch (const Error&) {  // it is a file of the compiler's
    }
  }
  const int wanted = std::stoi(match[2]);
  std::istringstream lines(source);
  std::string text = fmt::format("{}.cl:\n", name), line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (number < wanted - 4 || number > wanted + 4) continue;
    text += fmt::format("{} {:4}  {}\n", number == wanted ? ">" : " ", number, line);
  }
  return text;
}

// An empty handle if the driver rejects the binary.
cl::Program from_binary(const cl::Context& context, const cl::Device& device,
                        const std::vector<unsigned char>& binary, const std::string& options) {
  try {
    cl::Program program(context, {device}, {binary});
    program.build(std::vector<cl::Device>{device}, options.c_str());
    return program;
  } catch (const cl::Error&) {
    return {};
  }
}

// Whether built programs are kept (cache.h). PoCL keeps each kernel that it compiles by itself.
// When it is asked for a program's binary, it compiles the program's other kernels, too: AlexNet's
// first answer takes 20 s then, and 7 s without.
bool keeps_programs(const cl::Device& device) {
  const bool by_itself = is_pocl(cl::Platform(device.getInfo<CL_DEVICE_PLATFORM>()));
  return environment::is_on("LIMULUS_CL_BINARIES", !by_itself);
}

// The DeviceError has the compiler's log, and the lines around the first error.
cl::Program from_text(const std::string& device_name, const cl::Context& context,
                      const cl::Device& device, const std::string& family, const std::string& text,
                      const std::string& options) {
  cl::Program program(context, text);
  try {
    program.build(std::vector<cl::Device>{device}, options.c_str());
  } catch (const cl::Error& error) {
    const std::string log = program.getBuildInfo<CL_PROGRAM_BUILD_LOG>(device);
    throw DeviceError(fmt::format(
        "{}: {}.cl does not build: {}\n{}\n{}\ndevice:  {}, driver {}\noptions: {}", device_name,
        family, error_name(error.err()), log, excerpt(log, family),
        device.getInfo<CL_DEVICE_NAME>(), device.getInfo<CL_DRIVER_VERSION>(), options));
  }
  return program;
}

}  // namespace

std::string identity_of(const cl::Device& device) {
  const cl::Platform platform(device.getInfo<CL_DEVICE_PLATFORM>());
  std::string all;
  for (const std::string& part :
       {platform.getInfo<CL_PLATFORM_NAME>(), platform.getInfo<CL_PLATFORM_VERSION>(),
        device.getInfo<CL_DEVICE_NAME>(), device.getInfo<CL_DEVICE_VERSION>(),
        device.getInfo<CL_DRIVER_VERSION>()})
    all += part.substr(0, part.find('\0')) + '\n';
  return all;
}

std::string source_text(const std::string& name) {
  const std::string folder = environment::value("LIMULUS_CL_DIR");
  if (!folder.empty()) {
    const std::string path = folder + "/" + name + ".cl";
    try {
      const std::vector<std::uint8_t> bytes = read_file(path);
      return {bytes.begin(), bytes.end()};
    } catch (const FileError& error) {
      throw FileError(std::string(error.what()) +
                      "; LIMULUS_CL_DIR must name a folder with all files of "
                      "backends/opencl/kernels");
    }
  }
  for (const KernelSource& source : embedded_sources())
    if (name == source.name) return source.text;
  throw DeviceError("opencl: there is no file of kernels named " + name + ".cl");
}

BuiltProgram build_program(const std::string& device_name, const cl::Context& context,
                           const cl::Device& device, const std::string& family,
                           const std::string& options, bool fresh) {
  const std::string text = whole_text(family);
  const auto build = [&] { return from_text(device_name, context, device, family, text, options); };
  if (!keeps_programs(device)) return {build(), /*from_cache=*/false};
  const std::string key = fmt::format("kernels {} of {} bytes, {}\noptions {}\n{}", hash_of(text),
                                      text.size(), family, options, identity_of(device));
  const std::string file = hash_of(key) + ".clbin";
  if (!fresh) {
    if (const std::optional<std::string> kept = cache_read(file, key)) {
      cl::Program program = from_binary(context, device, {kept->begin(), kept->end()}, options);
      if (program() != nullptr) return {program, /*from_cache=*/true};
    }
  }
  cl::Program program = build();
  // One device in the context, so one binary; a driver may have none to give.
  const auto binaries = program.getInfo<CL_PROGRAM_BINARIES>();
  if (binaries.size() == 1 && !binaries[0].empty())
    cache_write(file, key, {binaries[0].begin(), binaries[0].end()});
  return {program, /*from_cache=*/false};
}

}  // namespace limulus::opencl
