// The OpenCL backend's product of matrices beside CLBlast's, on one device, in turns.
//
//     clblast_bench                    1024 x 1024 x 1024 on opencl:0
//     clblast_bench --size 512 --json
//
// CLBlast (Debian's libclblast-dev) is the BLAS library of OpenCL; this program is built where it
// is found. Both compute C = A B of the same numbers in single precision, and are timed from the
// call to the end of the last kernel, with whatever they do to lay out the factors anew. CLBlast
// runs with the sizes that it has for this device, or its defaults for devices of the kind: it was
// not tuned here.
#include <clblast.h>
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/opencl/cl.h"
#include "backends/opencl/devices.h"
#include "backends/registry.h"
#include "core/rng.h"
#include "core/tensor.h"
#include "tools/bench/probes/fma_peak.h"
#include "tools/bench/timing.h"

using namespace limulus;

namespace {

// A[size, size] and B[size, size] on the device, multiplied by CLBlast.
class Clblast {
 public:
  Clblast(const std::string& name, const std::vector<float>& a, const std::vector<float>& b,
          std::size_t size)
      : context_(opencl::find_device(name).device),
        queue_(context_, opencl::find_device(name).device),
        a_(context_, CL_MEM_READ_ONLY, 4 * a.size()),
        b_(context_, CL_MEM_READ_ONLY, 4 * b.size()),
        c_(context_, CL_MEM_READ_WRITE, 4 * a.size()),
        size_(size) {
    queue_.enqueueWriteBuffer(a_, CL_TRUE, 0, 4 * a.size(), a.data());
    queue_.enqueueWriteBuffer(b_, CL_TRUE, 0, 4 * b.size(), b.data());
  }

  void multiply() {
    cl_command_queue queue = queue_();
    const clblast::StatusCode status = clblast::Gemm(
        clblast::Layout::kRowMajor, clblast::Transpose::kNo, clblast::Transpose::kNo, size_, size_,
        size_, 1.0F, a_(), 0, size_, b_(), 0, size_, 0.0F, c_(), 0, size_, &queue);
    if (status != clblast::StatusCode::kSuccess)
      throw std::runtime_error(
          fmt::format("clblast_bench: CLBlast's Gemm ended with status {}, see clblast.h",
                      static_cast<int>(status)));
    queue_.finish();
  }

  std::vector<float> result() {
    std::vector<float> c(size_ * size_);
    queue_.enqueueReadBuffer(c_, CL_TRUE, 0, 4 * c.size(), c.data());
    return c;
  }

 private:
  cl::Context context_;
  cl::CommandQueue queue_;
  cl::Buffer a_, b_, c_;
  std::size_t size_;
};

struct Arguments {
  std::string on = "opencl:0";
  std::int64_t size = 1024;
  double seconds = 3;
  bool json = false;
};

void run(const Arguments& arguments) {
  const std::int64_t n = arguments.size;
  Backend& backend = device(arguments.on);
  Rng rng(1);
  Tensor a = Tensor::empty({n, n}, DType::f32, backend);
  Tensor b = Tensor::empty({n, n}, DType::f32, backend);
  Tensor c = Tensor::empty({n, n}, DType::f32, backend);
  fill_uniform(a, -1, 1, rng);
  fill_uniform(b, -1, 1, rng);
  const GemmShape shape{.m = n, .n = n, .k = n, .lda = n, .ldb = n, .ldc = n};
  const auto ours = [&] {
    backend.gemm(DType::f32, shape, a.data(), b.data(), c.mutable_data());
    backend.synchronize();
  };
  Clblast clblast(arguments.on, a.to_vector<float>(), b.to_vector<float>(),
                  static_cast<std::size_t>(n));

  ours();  // builds kernels, and warms caches
  clblast.multiply();
  const std::vector<float> x = c.to_vector<float>(), y = clblast.result();
  double difference = 0, largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    difference = std::max(difference, std::abs(static_cast<double>(x[i]) - y[i]));
    largest = std::max(largest, std::abs(static_cast<double>(y[i])));
  }
  if (!(difference < 1e-4 * largest))
    throw std::runtime_error(
        fmt::format("clblast_bench: the two products differ by {:.1e} where the largest value is "
                    "{:.1f}: one of them is wrong",
                    difference, largest));

  std::vector<double> time_ours, time_clblast;
  const auto timed = [](std::vector<double>& times, const auto& f) {
    const double start = now();
    f();
    times.push_back(now() - start);
  };
  const double end = now() + arguments.seconds;
  for (int i = 0; i < 3 || now() < end; ++i) {
    timed(time_ours, ours);
    timed(time_clblast, [&] { clblast.multiply(); });
  }
  const std::string isa = cpu_instruction_set();
  const int threads = cpu_default_threads();
  const double peak = isa.empty() ? 0 : fma_peak(isa, threads, 0.2) / 1e9;  // 0: unknown
  const double operations = 2e-9 * static_cast<double>(n) * static_cast<double>(n * n);
  const double rate_ours = operations / median(time_ours);
  const double rate_clblast = operations / median(time_clblast);
  if (arguments.json) {
    nlohmann::ordered_json all = {{"device", backend.description()},
                                  {"size", n},
                                  {"gflops", rate_ours},
                                  {"clblast_gflops", rate_clblast},
                                  {"ratio", rate_ours / rate_clblast},
                                  {"repetitions", time_ours.size()}};
    if (peak > 0) all["peak_gflops"] = peak;
    fmt::print("{}\n", all.dump(2));
    return;
  }
  const auto share = [&](double rate) {
    return peak > 0 ? fmt::format("{:>5.0f} %", 100 * rate / peak) : std::string();
  };
  fmt::print("{}\n", backend.description());
  if (peak > 0)
    fmt::print("peak of multiply-adds on {} threads of the processor: {:.1f} GFLOP/s\n", threads,
               peak);
  fmt::print("{0} x {0} x {0}, medians of {1}\n", n, time_ours.size());
  for (const auto& [name, rate] : {std::pair{"limulus", rate_ours}, {"CLBlast", rate_clblast}})
    fmt::print("{:<10} {:>8.2f} ms {:>8.1f} GFLOP/s{}\n", name, 1e3 * operations / rate, rate,
               share(rate));
  fmt::print("{:.1f} times as fast as CLBlast\n", rate_ours / rate_clblast);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The OpenCL backend's product of matrices beside CLBlast's");
  Arguments a;
  app.add_option("--device", a.on, "An OpenCL device")->capture_default_str();
  app.add_option("--size", a.size, "Rows and columns")
      ->check(CLI::Range(1, 8192))
      ->capture_default_str();
  app.add_option("--seconds", a.seconds, "For both together")
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str();
  app.add_flag("--json", a.json, "As JSON");
  CLI11_PARSE(app, argc, argv);
  try {
    run(a);
  } catch (const cl::Error& e) {
    fmt::print(stderr, "clblast_bench: {} from {}\n", opencl::error_name(e.err()), e.what());
    return 1;
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
