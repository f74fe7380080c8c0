// How fast a product of matrices is, beside how fast the processor could multiply and add at all.
//
//     gemm_bench                             AlexNet's products and the peak, on all threads
//     gemm_bench --threads 1 512x512x512     one product of one's own
//     LIMULUS_ISA=avx2 gemm_bench --json     with other kernels, for programs
//     gemm_bench --device opencl:0           on another device, beside the processor's peak
//
// A product is MxNxK and how its factors are stored: nn as they are, tn with the first one
// transposed, nt with the second one transposed. C[m, n] = A[m, k] B[k, n].
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/registry.h"
#include "core/error.h"
#include "core/rng.h"
#include "core/tensor.h"
#include "tools/bench/probes/fma_peak.h"
#include "tools/bench/timing.h"

using namespace limulus;

namespace {

// ---- products ----------------------------------------------------------------------------------

struct Product {
  std::string name;   // what it is in AlexNet
  std::string shape;  // "96x3025x363:nn"
  GemmShape s;
};

// "MxNxK" or "MxNxK:nt"
Product parse(const std::string& name, const std::string& text) {
  const auto wrong = [&](const std::string& why) {
    return ValueError("gemm_bench: \"" + text + "\" " + why +
                      "; a product is written MxNxK, or MxNxK:nn, :tn or :nt");
  };
  const std::string layout =
      text.find(':') == std::string::npos ? "nn" : text.substr(text.find(':') + 1);
  if (layout != "nn" && layout != "tn" && layout != "nt")
    throw wrong("has the unknown layout \"" + layout + "\"");
  std::int64_t sizes[3];
  const char* p = text.data();
  const char* const end = p + std::min(text.size(), text.find(':'));
  for (int i = 0; i < 3; ++i) {
    if (i > 0 && (p == end || *p++ != 'x')) throw wrong("has fewer than three sizes");
    const auto [rest, error] = std::from_chars(p, end, sizes[i]);
    if (error != std::errc() || sizes[i] < 1 || sizes[i] > 1 << 20)
      throw wrong("has a size that is not a number from 1 to 1048576");
    p = rest;
  }
  if (p != end) throw wrong("has something after the third size");
  GemmShape s = {.m = sizes[0], .n = sizes[1], .k = sizes[2]};
  s.trans_a = layout == "tn";
  s.trans_b = layout == "nt";
  s.lda = s.trans_a ? s.m : s.k;
  s.ldb = s.trans_b ? s.k : s.n;
  s.ldc = s.n;
  return {name, fmt::format("{}x{}x{}:{}", s.m, s.n, s.k, layout), s};
}

// A convolution of one image (and one group) is a product: kernels [K, C*F*F] times all windows of
// the image [C*F*F, OH*OW]. Fully connected layers are products with the batch: of one image the
// weights are read for a single use, 32 is training's batch, 128 the paper's.
std::vector<Product> alexnet_products() {
  return {parse("conv1", "96x3025x363"),
          parse("conv2, a group", "128x729x1200"),
          parse("conv3", "384x169x2304"),
          parse("conv4, a group", "192x169x1728"),
          parse("conv5, a group", "128x169x1728"),
          parse("fc6 of one image", "1x4096x9216:nt"),
          parse("fc6 forward", "32x4096x9216:nt"),
          parse("fc6 forward", "128x4096x9216:nt"),
          parse("fc6 weight gradient", "4096x9216x32:tn"),
          parse("square", "512x512x512"),
          parse("square", "1024x1024x1024"),
          parse("square", "2048x2048x2048"),
          parse("no multiple of anything", "1021x509x333")};
}

struct Timing {
  double seconds = 0;  // median
  int repetitions = 0;
};

Timing time_product(Backend& on, const GemmShape& s, double seconds) {
  Rng rng(1);
  Tensor a = Tensor::empty({s.m, s.k}, DType::f32, on),
         b = Tensor::empty({s.k, s.n}, DType::f32, on);
  Tensor c = Tensor::empty({s.m, s.n}, DType::f32, on);
  fill_uniform(a, -1, 1, rng);
  fill_uniform(b, -1, 1, rng);
  const auto multiply = [&] {  // with whatever the backend does to lay out the factors anew
    on.gemm(DType::f32, s, a.data(), b.data(), c.mutable_data());
    on.synchronize();
  };
  multiply();  // warms caches, threads and workspaces, and builds kernels
  std::vector<double> times;
  const double end = now() + seconds;
  do {
    const double start = now();
    multiply();
    times.push_back(now() - start);
  } while (now() < end);
  return {median(times), static_cast<int>(times.size())};
}

// ---- the program -------------------------------------------------------------------------------

struct Arguments {
  int threads = 0;
  double seconds = 0.3;
  bool peak = false, json = false, list = false;
  std::string on = "cpu";
  std::vector<std::string> shapes;
};

void run(const Arguments& a) {
  std::vector<Product> products;
  for (const std::string& shape : a.shapes) products.push_back(parse("", shape));
  if (a.shapes.empty() && !a.peak) products = alexnet_products();
  if (a.list) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const Product& p : products) all.push_back({{"name", p.name}, {"shape", p.shape}});
    fmt::print("{}\n", all.dump(2));
    return;
  }
  if (a.threads > 0) set_device_threads(a.threads);
  const int threads = a.threads > 0 ? a.threads : cpu_default_threads();

  Backend& backend = device(a.on);
  const std::string isa = cpu_instruction_set();
  double peak = 0;  // unknown
  if (!isa.empty() && (a.peak || a.shapes.empty())) peak = fma_peak(isa, threads, a.seconds) / 1e9;
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  if (!a.json) {
    fmt::print("{}\n", backend.description());
    if (peak > 0)
      fmt::print("peak of multiply-adds on {} threads of the processor: {:.1f} GFLOP/s\n", threads,
                 peak);
  }
  for (const Product& p : products) {
    const Timing t = time_product(backend, p.s, a.seconds);
    const double gflops = 2e-9 * static_cast<double>(p.s.m * p.s.n * p.s.k) / t.seconds;
    rows.push_back({{"name", p.name},
                    {"shape", p.shape},
                    {"ms", 1e3 * t.seconds},
                    {"gflops", gflops},
                    {"repetitions", t.repetitions}});
    if (!a.json)
      fmt::print("{:<24} {:>20} {:>9.3f} ms {:>8.1f} GFLOP/s{}\n", p.name, p.shape, 1e3 * t.seconds,
                 gflops, peak > 0 ? fmt::format(" {:>4.0f} %", 100 * gflops / peak) : "");
  }
  if (a.json) {
    nlohmann::ordered_json all = {{"device", backend.description()}, {"threads", threads}};
    if (peak > 0) all["peak_gflops"] = peak;
    all["products"] = rows;
    fmt::print("{}\n", all.dump(2));
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Products of matrices in single precision, and the processor's peak");
  Arguments a;
  app.add_option("shapes", a.shapes, "MxNxK, or MxNxK:nn, :tn, :nt (default: AlexNet's)");
  app.add_option("--device", a.on, "limulus devices lists them")->capture_default_str();
  app.add_option("--threads", a.threads, "Of the cpu device, and of the peak (default: all)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--seconds", a.seconds, "For each product")
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str();
  app.add_flag("--peak", a.peak, "The peak; no products but those given");
  app.add_flag("--list", a.list, "Only list the products, as JSON");
  app.add_flag("--json", a.json, "As JSON");
  CLI11_PARSE(app, argc, argv);
  try {
    run(a);
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
