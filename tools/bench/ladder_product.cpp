// The ladder of a matrix product on an OpenCL device (tools/bench/ladder/product_rungs.cl).
#ifdef LIMULUS_OPENCL
#include <fmt/core.h>

#include "backends/cpu/cpu_backend.h"
#include "backends/registry.h"
#include "core/algebra.h"
#include "core/rng.h"
#include "core/tensor.h"
#include "tools/bench/opencl_ladder.h"
#include "tools/bench/probes/fma_peak.h"

namespace limulus::tools {
namespace {

constexpr int product_side = 768;  // of all three matrices: a multiple of every tile's sides
constexpr GemmShape product_shape = {product_side, product_side, product_side, false, false,
                                     product_side, product_side, product_side, 0};

struct ProductRung {
  const char *name, *kernel;
  int vec = 16, rows = 1;  // -D options; a tile is 2 vec columns wide
  int columns = 1;         // of one item
  int group = 1;           // items in a work-group, along the columns
  int pass = 0;            // packed: so many steps of the sum at a time
};
constexpr ProductRung product_rungs[] = {
    {"one element of C, groups of 64", "one_element", 16, 1, 1, 64},
    {"64 neighbours of a row", "run_of_a_row", 16, 1, 64},
    {"a tile of 4 x 16, A and B as they are", "tile", 8, 4, 16},
    {"4 x 16, both packed", "packed_tile", 8, 4, 16, 1, product_side},
    {"6 x 16, packed", "packed_tile", 8, 6, 16, 1, product_side},
    {"8 x 32, packed", "packed_tile", 16, 8, 32, 1, product_side},
    {"12 x 32, packed", "packed_tile", 16, 12, 32, 1, product_side},
    {"12 x 32, packed, k in passes of 384", "packed_tile", 16, 12, 32, 1, product_side / 2},
};

// A (lines: its rows) or B (lines: its columns) in panels of `width` lines, step after step.
std::vector<float> packed(const std::vector<float>& from, int width, bool columns) {
  std::vector<float> to(from.size());
  std::size_t at = 0;
  for (int first = 0; first < product_side; first += width)
    for (int p = 0; p < product_side; ++p)
      for (int line = first; line < first + width; ++line)
        to[at++] = from[static_cast<std::size_t>(columns ? p * product_side + line
                                                         : line * product_side + p)];
  return to;
}

Step product_step(Bench& bench, const ProductRung& rung, const std::vector<float>& in_a,
                  const std::vector<float>& in_b) {
  cl::Kernel kernel = bench.kernel(
      "product_rungs", fmt::format("-DVEC={} -DROWS={}", rung.vec, rung.rows), rung.kernel);
  const std::vector<float> nothing(in_a.size(), std::nanf(""));
  const cl::Buffer a = bench.upload(rung.pass > 0 ? packed(in_a, rung.rows, false) : in_a),
                   b = bench.upload(rung.pass > 0 ? packed(in_b, rung.columns, true) : in_b),
                   c = bench.upload(nothing);
  kernel.setArg(0, a);
  kernel.setArg(1, b);
  kernel.setArg(2, c);
  kernel.setArg(3, product_side);
  kernel.setArg(4, product_side);
  // A kernel does not keep its buffers, so a, b and c are held here.
  const auto run = [&bench, rung, kernel, a, b, c]() mutable {
    // Tiles walk down the rows first, so that a panel of B is used while it is in the cache.
    const int rows = product_side / rung.rows, columns = product_side / rung.columns;
    const cl::NDRange items =
        rung.rows > 1 ? cl::NDRange(rows, columns) : cl::NDRange(columns, rows);
    const int steps = rung.pass > 0 ? rung.pass : product_side;
    for (int k0 = 0; k0 < product_side; k0 += steps) {
      if (rung.pass > 0) {
        kernel.setArg(5, k0);
        kernel.setArg(6, k0 + steps);
      }
      bench.queue().enqueueNDRangeKernel(kernel, cl::NullRange, items, cl::NDRange(rung.group, 1));
    }
    bench.queue().finish();
  };
  return {rung.name, run, [&bench, c, n = in_a.size()] { return bench.download(c, n); }};
}

}  // namespace

ClimbedLadder product_ladder(Bench& bench, Backend& backend) {
  ClimbedLadder ladder = {
      .title = fmt::format("C = A B, {0} x {0} matrices of floats; packing not counted but in the "
                           "last rung",
                           product_side),
      .unit = "GFLOP/s",
      .roof = "it is measured on processors only",
      .work = 2e-9 * product_side * product_side * product_side,
      .shape = {product_side, product_side}};
  Backend& reference = device("reference");
  Rng rng(1);
  Tensor ta = Tensor::empty({product_side, product_side}, DType::f32, reference), tb = ta;
  for (Tensor* t : {&ta, &tb}) {
    *t = Tensor::empty({product_side, product_side}, DType::f32, reference);
    fill_normal(*t, 0, 1, rng);
  }
  const std::vector<double> exact_a = ta.to_doubles(), exact_b = tb.to_doubles();
  ladder.expected.resize(exact_a.size());
  reference.gemm(DType::f64, product_shape, exact_a.data(), exact_b.data(), ladder.expected.data());

  for (const ProductRung& rung : product_rungs)
    ladder.steps.push_back(product_step(bench, rung, ta.to_vector<float>(), tb.to_vector<float>()));
  const Tensor a = to(ta, backend), b = to(tb, backend);
  Tensor c = Tensor::full({product_side, product_side}, std::nan(""), DType::f32, backend);
  const auto run = [&backend, a, b, c]() mutable {
    backend.gemm(DType::f32, product_shape, a.data(), b.data(), c.mutable_data());
    backend.synchronize();
  };
  ladder.steps.push_back(
      {"the library's gemm, packing included", run, [c] { return c.to_vector<float>(); }});

  const std::string isa = cpu_instruction_set();
  if (!isa.empty() && (bench.device().getInfo<CL_DEVICE_TYPE>() & CL_DEVICE_TYPE_CPU) != 0) {
    const auto threads = static_cast<int>(bench.device().getInfo<CL_DEVICE_MAX_COMPUTE_UNITS>());
    ladder.roof = "multiply-adds in registers on all compute units";
    ladder.roof_now = [isa, threads] { return fma_peak(isa, threads, 0.05) / 1e9; };
  }
  return ladder;
}

}  // namespace limulus::tools
#endif
