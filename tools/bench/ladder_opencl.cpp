// limulus bench ladder --device opencl:0: a matrix product from its formula to the backend's gemm
// (tools/bench/ladder/product_rungs.cl, docs/opencl.md), each rung timed and compared.
#include "tools/bench/ladder.h"

#include "backends/registry.h"

#ifdef LIMULUS_OPENCL
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/opencl/devices.h"
#include "backends/opencl/program.h"
#include "core/algebra.h"
#include "core/error.h"
#include "core/printable.h"
#include "core/rng.h"
#include "core/tensor.h"
#include "formats/atomic_file.h"
#include "formats/read_file.h"
#include "tools/bench/probes/fma_peak.h"
#include "tools/bench/svg.h"
#include "tools/bench/timing.h"
#include "tools/terminal.h"

namespace limulus::opencl {
const std::vector<KernelSource>& rung_sources();  // made by CMake from product_rungs.cl
}

namespace limulus::tools {
namespace {

constexpr int side = 768;  // of all three matrices: a multiple of every tile's sides

struct Rung {
  const char *name, *kernel;
  int vec = 16, rows = 1;  // -D options; a tile is 2 vec columns wide
  int columns = 1;         // of one item
  int group = 1;           // items in a work-group, along the columns
  int pass = 0;            // packed: so many steps of the sum at a time
};
constexpr Rung rungs[] = {
    {"one element of C, groups of 64", "one_element", 16, 1, 1, 64},
    {"64 neighbours of a row", "run_of_a_row", 16, 1, 64},
    {"a tile of 4 x 16, A and B as they are", "tile", 8, 4, 16},
    {"4 x 16, both packed", "packed_tile", 8, 4, 16, 1, side},
    {"6 x 16, packed", "packed_tile", 8, 6, 16, 1, side},
    {"8 x 32, packed", "packed_tile", 16, 8, 32, 1, side},
    {"12 x 32, packed", "packed_tile", 16, 12, 32, 1, side},
    {"12 x 32, packed, k in passes of 384", "packed_tile", 16, 12, 32, 1, side / 2},
};

// A rung, ready to run.
struct Step {
  std::string name;
  std::function<void()> run;  // until it is done
  std::function<std::vector<float>()> result;
  double seconds = 1e30, error = 0;  // the shortest run; the largest difference
};

// Another text than the embedded one, so that an edited rung runs without a build.
std::string source_text(const std::string& path) {
  if (path.empty()) return opencl::rung_sources().front().text;
  const std::vector<std::uint8_t> bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

// A (lines: its rows) or B (lines: its columns) in panels of `width` lines, step after step.
std::vector<float> packed(const std::vector<float>& from, int width, bool columns) {
  std::vector<float> to(from.size());
  std::size_t at = 0;
  for (int first = 0; first < side; first += width)
    for (int p = 0; p < side; ++p)
      for (int line = first; line < first + width; ++line)
        to[at++] = from[static_cast<std::size_t>(columns ? p * side + line : line * side + p)];
  return to;
}

// What is multiplied, and what must come out.
struct Matrices {
  Tensor ta, tb;
  std::vector<float> a, b;
  std::vector<double> c;
  double largest = 0;

  Matrices() {
    Backend& reference = device("reference");
    Rng rng(1);
    for (Tensor* t : {&ta, &tb}) {
      *t = Tensor::empty({side, side}, DType::f32, reference);
      fill_normal(*t, 0, 1, rng);
    }
    a = ta.to_vector<float>();
    b = tb.to_vector<float>();
    c.resize(a.size());
    const std::vector<double> exact_a = ta.to_doubles(), exact_b = tb.to_doubles();
    reference.gemm(DType::f64, shape(), exact_a.data(), exact_b.data(), c.data());
    for (const double value : c) largest = std::max(largest, std::abs(value));
  }

  static GemmShape shape() { return {side, side, side, false, false, side, side, side, 0}; }

  // The largest difference from the textbook loops in double, beside the largest value.
  double error(const std::string& rung, const std::vector<float>& got) const {
    double worst = 0;
    for (std::size_t i = 0; i < c.size(); ++i) {
      const double difference = std::abs(got[i] - c[i]) / largest;
      if (!(difference < 1e-5))  // also a NaN: an element that was forgotten
        throw ValueError(fmt::format(
            "bench ladder: '{}' gives {} for C[{}, {}], and the textbook loops {}: this kernel is "
            "wrong",
            rung, got[i], i / side, i % side, c[i]));
      worst = std::max(worst, difference);
    }
    return worst;
  }
};

// A device with a queue of its own, for the rungs that are no part of the library.
class Bench {
 public:
  Bench(const std::string& name, std::string text)
      : name_(name), text_(std::move(text)), device_(opencl::find_device(name).device) {
    context_ = cl::Context(device_);
    queue_ = cl::CommandQueue(context_, device_);
  }

  const cl::Device& device() const { return device_; }

  Step step(const Rung& rung, const Matrices& m) {
    cl::Kernel kernel(build(rung), rung.kernel);
    const std::vector<float> nothing(m.c.size(), std::nanf(""));
    const cl::Buffer a = upload(rung.pass > 0 ? packed(m.a, rung.rows, false) : m.a),
                     b = upload(rung.pass > 0 ? packed(m.b, rung.columns, true) : m.b),
                     c = upload(nothing);
    kernel.setArg(0, a);
    kernel.setArg(1, b);
    kernel.setArg(2, c);
    kernel.setArg(3, side);
    kernel.setArg(4, side);
    // A kernel does not keep its buffers, so a, b and c are held here.
    const auto run = [this, rung, kernel, a, b, c]() mutable {
      // Tiles walk down the rows first, so that a panel of B is used while it is in the cache.
      const int rows = side / rung.rows, columns = side / rung.columns;
      const cl::NDRange items =
          rung.rows > 1 ? cl::NDRange(rows, columns) : cl::NDRange(columns, rows);
      const int steps = rung.pass > 0 ? rung.pass : side;
      for (int k0 = 0; k0 < side; k0 += steps) {
        if (rung.pass > 0) {
          kernel.setArg(5, k0);
          kernel.setArg(6, k0 + steps);
        }
        queue_.enqueueNDRangeKernel(kernel, cl::NullRange, items, cl::NDRange(rung.group, 1));
      }
      queue_.finish();
    };
    const auto result = [this, c, got = nothing]() mutable {
      queue_.enqueueReadBuffer(c, CL_TRUE, 0, 4 * got.size(), got.data());
      return got;
    };
    return {rung.name, run, result};
  }

 private:
  cl::Program build(const Rung& rung) {
    const std::string options =
        fmt::format("-cl-std=CL1.2 -DVEC={} -DROWS={} -w", rung.vec, rung.rows);
    cl::Program program(context_, text_);
    try {
      program.build(std::vector<cl::Device>{device_}, options.c_str());
    } catch (const cl::Error& error) {
      throw DeviceError(fmt::format("{}: product_rungs.cl does not build: {}\n{}\noptions: {}",
                                    name_, opencl::error_name(error.err()),
                                    program.getBuildInfo<CL_PROGRAM_BUILD_LOG>(device_), options));
    }
    return program;
  }

  cl::Buffer upload(const std::vector<float>& values) {
    cl::Buffer buffer(context_, CL_MEM_READ_WRITE, 4 * values.size());
    queue_.enqueueWriteBuffer(buffer, CL_TRUE, 0, 4 * values.size(), values.data());
    return buffer;
  }

  std::string name_, text_;
  cl::Device device_;
  cl::Context context_;
  cl::CommandQueue queue_;
};

Step last_step(Backend& backend, const Matrices& m) {
  const Tensor a = to(m.ta, backend), b = to(m.tb, backend);
  Tensor c = Tensor::full({side, side}, std::nan(""), DType::f32, backend);
  const auto run = [&backend, a, b, c]() mutable {
    backend.gemm(DType::f32, Matrices::shape(), a.data(), b.data(), c.mutable_data());
    backend.synchronize();
  };
  return {"the library's gemm, packing included", run, [c] { return c.to_vector<float>(); }};
}

// Runs each rung for about `seconds`, at least once, and returns the peak: multiply-adds in
// registers, on as many threads as the device has compute units. 0 where the device is no
// processor, or one whose peak no probe knows. All take turns, and the shortest run counts, so that
// what else happens on the machine meanwhile falls on all of them.
double climb(const cl::Device& device, const Matrices& m, double seconds, std::vector<Step>& all) {
  const std::string isa = cpu_instruction_set();
  const bool processor =
      !isa.empty() && (device.getInfo<CL_DEVICE_TYPE>() & CL_DEVICE_TYPE_CPU) != 0;
  const auto threads = static_cast<int>(device.getInfo<CL_DEVICE_MAX_COMPUTE_UNITS>());
  for (Step& step : all) {
    step.run();  // not timed: the driver may still be compiling
    step.error = m.error(step.name, step.result());
  }
  double peak = 0;
  constexpr int turns = 10;
  for (int turn = 0; turn < turns; ++turn) {
    if (processor) peak = std::max(peak, fma_peak(isa, threads, 0.05));
    for (Step& step : all) {
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
  return peak;
}

void print(const std::string& description, const std::vector<Step>& all, double work, double peak) {
  fmt::print(
      "{}\n\nC = A B, {} x {} matrices of floats; packing not counted but in the last rung\n\n",
      description, side, side);
  fmt::print("{:<38} {:>8} {:>9} {:>12} {:>18} {:>8}\n", "one work-item computes", "ms", "GFLOP/s",
             "of the peak", "faster than above", "error");
  double before = 0;
  for (const Step& r : all) {
    const double rate = work / r.seconds;
    fmt::print("{:<38} {:>8.2f} {:>9.1f} {:>12} {:>18} {:>8.0e}\n", r.name, 1e3 * r.seconds,
               rate / 1e9, peak > 0 ? fmt::format("{:.1f} %", 100 * rate / peak) : "-",
               before == 0 ? "" : fmt::format("{:.1f} x", before / r.seconds), r.error);
    before = r.seconds;
  }
  if (peak > 0)
    fmt::print("\nThe peak: {:.0f} GFLOP/s, multiply-adds in registers on all compute units.",
               peak / 1e9);
  else
    fmt::print("\nThe peak of this device is not known: it is measured on processors only.");
  fmt::print(
      " Error: the largest\ndifference from the textbook loops in double, beside the largest "
      "value.\n");
}

void print_json(const std::string& description, const std::vector<Step>& all, double work,
                double peak) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Step& r : all) {
    rows.push_back({{"name", r.name},
                    {"ms", 1e3 * r.seconds},
                    {"gflops", work / r.seconds / 1e9},
                    {"error", r.error}});
    if (peak > 0) rows.back()["share"] = work / r.seconds / peak;
  }
  nlohmann::ordered_json whole = {{"device", description}};
  if (peak > 0) whole["peak_gflops"] = peak / 1e9;
  whole["rungs"] = rows;
  fmt::print("{}\n", whole.dump(2));
}

}  // namespace

void run_opencl_ladder(const LadderArguments& a) {
  if (a.threads > 0)
    throw ValueError(
        "bench ladder: an OpenCL device always uses all its threads; for half of it, give --device "
        "opencl:0/2");
  const double work = 2.0 * side * side * side;
  Backend& backend = device(a.device);
  std::vector<Step> all;
  double peak = 0;
  try {
    Bench bench(a.device, source_text(a.rungs));
    const Matrices matrices;
    for (const Rung& rung : rungs) all.push_back(bench.step(rung, matrices));
    all.push_back(last_step(backend, matrices));
    peak = climb(bench.device(), matrices, a.seconds, all);
  } catch (const cl::Error& error) {
    throw opencl::failure(a.device, "bench ladder", error);
  }
  if (a.json)
    print_json(backend.description(), all, work, peak);
  else
    print(printable(backend.description()), all, work, peak);
  if (!a.svg.empty()) {
    std::vector<Bar> bars;
    for (const Step& r : all) bars.push_back({r.name, work / r.seconds / 1e9});
    write_file_atomically(a.svg, bars_svg("C = A B, 768 x 768", "GFLOP/s", bars));
    say(fmt::format("The ladder as a picture: {}", a.svg));
  }
}

}  // namespace limulus::tools
#else

namespace limulus::tools {

// The error that says what to install.
void run_opencl_ladder(const LadderArguments& a) { device(a.device); }

}  // namespace limulus::tools
#endif
