// The ladder of local response normalization on an OpenCL device (tools/bench/ladder/lrn_rungs.cl).
#ifdef LIMULUS_OPENCL
#include <fmt/core.h>

#include "backends/registry.h"
#include "core/algebra.h"
#include "core/rng.h"
#include "core/tensor.h"
#include "tools/bench/opencl_ladder.h"
#include "tools/bench/timing.h"

namespace limulus::tools {
namespace {

// What AlexNet's first normalization sees. With the paper's alpha of 1e-4 a wrong window would
// hardly show.
constexpr int images = 16, channels = 96, pixels = 55 * 55;
constexpr LrnShape lrn_shape = {images, channels, 55, 55, 5, 1, 0.75, 2};

struct LrnRung {
  const char *name, *kernel;
  int run = 1;              // pixels of an item
  int group = 1;            // items in a work-group
  bool by_channel = false;  // an item has one channel, or else all of them
};
constexpr int lrn_vec = 16;  // floats of a vector
constexpr LrnRung lrn_rungs[] = {
    {"one number, with pow, groups of 64", "one_element", 1, 64, true},
    {"one number, with two roots", "two_roots", 1, 64, true},
    {"16 pixels of all channels, in registers", "in_registers", lrn_vec},
    {"128 pixels of all channels", "walk", 128},
    {"1024 pixels of all channels", "walk", 1024},
};

Step lrn_step(Bench& bench, const LrnRung& rung, const std::vector<float>& in) {
  cl::Kernel kernel =
      bench.kernel("lrn_rungs", fmt::format("-DVEC={} -DRUN={}", lrn_vec, rung.run), rung.kernel);
  const cl::Buffer x = bench.upload(in),
                   y = bench.upload(std::vector<float>(in.size(), std::nanf("")));
  kernel.setArg(0, x);
  kernel.setArg(1, y);
  kernel.setArg(2, channels);
  kernel.setArg(3, pixels);
  kernel.setArg(4, static_cast<float>(lrn_shape.k));
  kernel.setArg(5, static_cast<float>(lrn_shape.alpha));
  const auto run = [&bench, rung, kernel, x, y]() {
    const int across = rung.run * rung.group;
    const int items = (pixels + across - 1) / across * rung.group;
    bench.queue().enqueueNDRangeKernel(
        kernel, cl::NullRange,
        rung.by_channel ? cl::NDRange(items, channels, images) : cl::NDRange(items, images),
        rung.by_channel ? cl::NDRange(rung.group, 1, 1) : cl::NDRange(rung.group, 1));
    bench.queue().finish();
  };
  return {rung.name, run, [&bench, y, n = in.size()] { return bench.download(y, n); }};
}

}  // namespace

ClimbedLadder normalization_ladder(Bench& bench, Backend& backend) {
  Backend& reference = device("reference");
  Rng rng(1);
  Tensor x = Tensor::empty({images, channels, 55, 55}, DType::f32, reference);
  fill_normal(x, 0, 1, rng);
  const std::vector<double> exact = x.to_doubles();
  const std::vector<float> in = x.to_vector<float>();
  ClimbedLadder ladder = {
      .title = fmt::format("Local response normalization of x[{}, {}, 55, 55], n = 5, beta = 3/4; "
                           "GB/s: x read and y written once",
                           images, channels),
      .unit = "GB/s",
      .roof = "a copy, y = x",
      .work = 8e-9 * static_cast<double>(in.size()),
      .shape = x.shape()};
  ladder.expected.resize(in.size());
  reference.lrn_across_forward(DType::f64, lrn_shape, exact.data(), ladder.expected.data());

  for (const LrnRung& rung : lrn_rungs) ladder.steps.push_back(lrn_step(bench, rung, in));
  const Tensor on_device = to(x, backend);
  Tensor y = Tensor::full(x.shape(), std::nan(""), DType::f32, backend);
  const auto run = [&backend, on_device, y]() mutable {
    backend.lrn_across_forward(DType::f32, lrn_shape, on_device.data(), y.mutable_data());
    backend.synchronize();
  };
  ladder.steps.push_back({"the library's kernel", run, [y] { return y.to_vector<float>(); }});

  // On a card neighbouring items copy neighbouring numbers; a core takes a run by itself.
  const bool card = (bench.device().getInfo<CL_DEVICE_TYPE>() & CL_DEVICE_TYPE_GPU) != 0;
  const int run_of_item = card ? 1 : 4096, group = card ? 64 : 1,
            count = static_cast<int>(in.size());
  cl::Kernel copy =
      bench.kernel("lrn_rungs", fmt::format("-DVEC={} -DRUN={}", lrn_vec, run_of_item), "copy");
  const cl::Buffer from = bench.upload(in), to_buffer = bench.upload(in);
  copy.setArg(0, from);
  copy.setArg(1, to_buffer);
  copy.setArg(2, count);
  const int across = run_of_item * group, items = (count + across - 1) / across * group;
  ladder.roof_now = [&bench, copy, from, to_buffer, items, group, work = ladder.work] {
    double best = 0;
    for (int i = 0; i < 3; ++i) {
      const double start = now();
      bench.queue().enqueueNDRangeKernel(copy, cl::NullRange, cl::NDRange(items),
                                         cl::NDRange(group));
      bench.queue().finish();
      best = std::max(best, work / (now() - start));
    }
    return best;
  };
  return ladder;
}

}  // namespace limulus::tools
#endif
