// limulus bench ladder --device opencl:0: local response normalization and a matrix product, each
// from its formula to the backend's kernel (docs/opencl.md). Rungs are timed in turns and compared.
#include "tools/bench/ladder.h"

#include "backends/registry.h"

#ifdef LIMULUS_OPENCL
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "backends/opencl/devices.h"
#include "backends/opencl/program.h"
#include "core/error.h"
#include "core/printable.h"
#include "formats/atomic_file.h"
#include "formats/read_file.h"
#include "tools/bench/opencl_ladder.h"
#include "tools/bench/svg.h"
#include "tools/bench/timing.h"
#include "tools/terminal.h"

namespace limulus::opencl {
const std::vector<KernelSource>& rung_sources();  // made by CMake from tools/bench/ladder/*.cl
}

namespace limulus::tools {

Bench::Bench(std::string name, std::string folder)
    : name_(std::move(name)),
      folder_(std::move(folder)),
      device_(opencl::find_device(name_).device) {
  context_ = cl::Context(device_);
  queue_ = cl::CommandQueue(context_, device_);
}

std::string Bench::text_of(const std::string& file) const {
  if (!folder_.empty()) {
    const std::vector<std::uint8_t> bytes = read_file(folder_ + "/" + file + ".cl");
    return {bytes.begin(), bytes.end()};
  }
  const auto& all = opencl::rung_sources();
  return std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.name == file; })->text;
}

cl::Kernel Bench::kernel(const std::string& file, const std::string& options, const char* kernel) {
  cl::Program program(context_, text_of(file));
  try {
    program.build(std::vector<cl::Device>{device_}, ("-cl-std=CL1.2 -w " + options).c_str());
  } catch (const cl::Error& error) {
    throw DeviceError(fmt::format("{}: {}.cl does not build: {}\n{}\noptions: {}", name_, file,
                                  opencl::error_name(error.err()),
                                  program.getBuildInfo<CL_PROGRAM_BUILD_LOG>(device_), options));
  }
  return {program, kernel};
}

cl::Buffer Bench::upload(const std::vector<float>& values) {
  cl::Buffer buffer(context_, CL_MEM_READ_WRITE, 4 * values.size());
  queue_.enqueueWriteBuffer(buffer, CL_TRUE, 0, 4 * values.size(), values.data());
  return buffer;
}

std::vector<float> Bench::download(const cl::Buffer& buffer, std::size_t count) {
  std::vector<float> values(count);
  queue_.enqueueReadBuffer(buffer, CL_TRUE, 0, 4 * count, values.data());
  return values;
}

namespace {

// The largest difference from the textbook loops in double, beside the largest value.
double error_of(const ClimbedLadder& ladder, const std::string& rung,
                const std::vector<float>& got) {
  double worst = 0, largest = 0;
  for (const double value : ladder.expected) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < ladder.expected.size(); ++i) {
    const double difference = std::abs(got[i] - ladder.expected[i]) / largest;
    if (!(difference < 1e-5))  // also a NaN: an element that was forgotten
      throw ValueError(fmt::format(
          "bench ladder: '{}' gives {} for element [{}] of {}, and the textbook loops {}: this "
          "kernel is wrong",
          rung, got[i], fmt::join(index_of(static_cast<std::int64_t>(i), ladder.shape), ", "),
          ladder.shape.str(), ladder.expected[i]));
    worst = std::max(worst, difference);
  }
  return worst;
}

// Runs each rung for about `seconds`, at least once. All take turns, with the measurement of the
// roof, and the shortest run counts, so that what else happens on the machine falls on all of them.
void climb(ClimbedLadder& ladder, double seconds) {
  for (Step& step : ladder.steps) {
    step.run();  // not timed: the driver may still be compiling
    step.error = error_of(ladder, step.name, step.result());
  }
  constexpr int turns = 10;
  for (int turn = 0; turn < turns; ++turn) {
    if (ladder.roof_now) ladder.best_roof = std::max(ladder.best_roof, ladder.roof_now());
    for (Step& step : ladder.steps) {
      double spent = 0;
      do {
        const double start = now();
        step.run();
        const double time = now() - start;
        step.seconds = std::min(step.seconds, time);
        spent += time;
      } while (spent < seconds / turns);
    }
    if (seconds == 0) break;
  }
}

void print(const ClimbedLadder& ladder) {
  fmt::print("{}\n\n", ladder.title);
  fmt::print("{:<44} {:>8} {:>9} {:>12} {:>18} {:>8}\n", "one work-item computes", "ms",
             ladder.unit, "of the roof", "faster than above", "error");
  double before = 0;
  for (const Step& r : ladder.steps) {
    const double rate = ladder.work / r.seconds;
    fmt::print("{:<44} {:>8.2f} {:>9.1f} {:>12} {:>18} {:>8.0e}\n", r.name, 1e3 * r.seconds, rate,
               ladder.best_roof > 0 ? fmt::format("{:.1f} %", 100 * rate / ladder.best_roof) : "-",
               before == 0 ? "" : fmt::format("{:.1f} x", before / r.seconds), r.error);
    before = r.seconds;
  }
  if (ladder.best_roof > 0)
    fmt::print("\nThe roof: {:.0f} {}, {}.\n\n", ladder.best_roof, ladder.unit, ladder.roof);
  else
    fmt::print("\nThe roof of this device is not known: {}.\n\n", ladder.roof);
}

nlohmann::ordered_json to_json(const ClimbedLadder& ladder) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Step& r : ladder.steps) {
    const double rate = ladder.work / r.seconds;
    rows.push_back({{"name", r.name}, {"ms", 1e3 * r.seconds}, {"rate", rate}, {"error", r.error}});
    if (ladder.best_roof > 0) rows.back()["share"] = rate / ladder.best_roof;
  }
  nlohmann::ordered_json whole = {{"title", ladder.title}, {"unit", ladder.unit}};
  if (ladder.best_roof > 0) whole["roof"] = ladder.best_roof;
  whole["rungs"] = rows;
  return whole;
}

}  // namespace

void run_opencl_ladder(const LadderArguments& a) {
  if (a.threads > 0)
    throw ValueError(
        "bench ladder: an OpenCL device always uses all its threads; for half of it, give --device "
        "opencl:0/2");
  Backend& backend = device(a.device);
  std::vector<ClimbedLadder> all;
  try {
    Bench bench(a.device, a.rungs);
    all.push_back(normalization_ladder(bench, backend));
    all.push_back(product_ladder(bench, backend));
    for (ClimbedLadder& ladder : all) climb(ladder, a.seconds);
  } catch (const cl::Error& error) {
    throw opencl::failure(a.device, "bench ladder", error);
  }
  if (a.json) {
    nlohmann::ordered_json ladders = nlohmann::ordered_json::array();
    for (const ClimbedLadder& ladder : all) ladders.push_back(to_json(ladder));
    fmt::print(
        "{}\n",
        nlohmann::ordered_json{{"device", backend.description()}, {"ladders", ladders}}.dump(2));
  } else {
    fmt::print("{}\n\n", printable(backend.description()));
    for (const ClimbedLadder& ladder : all) print(ladder);
    fmt::print(
        "Error: the largest difference from the textbook loops in double, beside the largest "
        "value.\n");
  }
  if (!a.svg.empty()) {
    std::vector<Bar> bars;
    for (const Step& r : all.back().steps) bars.push_back({r.name, all.back().work / r.seconds});
    write_file_atomically(a.svg, bars_svg("C = A B, 768 x 768", "GFLOP/s", bars));
    say(fmt::format("The product's ladder as a picture: {}", a.svg));
  }
}

}  // namespace limulus::tools
#else

namespace limulus::tools {

// The error that says what to install.
void run_opencl_ladder(const LadderArguments& a) { device(a.device); }

}  // namespace limulus::tools
#endif
