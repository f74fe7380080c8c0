#include "tools/bench/roof.h"

#include <algorithm>

#include "backends/cpu/cpu_backend.h"
#include "core/tensor.h"
#include "tools/bench/probes/fma_peak.h"
#include "tools/bench/timing.h"

namespace limulus::tools {
namespace {

// The shortest of some runs: a limit is what is never exceeded.
template <class F>
double shortest(Backend& backend, double seconds, F f) {
  double best = 1e30;
  const double end = now() + seconds;
  for (int i = 0; i < 3 || now() < end; ++i) {
    const double start = now();
    f();
    backend.synchronize();
    best = std::min(best, now() - start);
  }
  return best;
}

// Arrays that backward reads and writes, in units of the layer's input, output and parameters.
struct Passes {
  double in, out, parameters;
};
Passes backward_passes(const std::string& kind, bool first) {
  const double dx = first ? 0 : 1;
  if (kind == "Conv2d" || kind == "Linear")  // x, dx; dy; w (for dx) and dw
    return {1 + dx, 1, 1 + dx};
  if (kind == "LocalResponseNorm") return {2, 1, 0};               // x, dx; dy
  if (kind == "MaxPool2d") return {1, 2, 0};                       // dx; dy and the positions
  if (kind == "AvgPool2d" || kind == "Dropout") return {1, 1, 0};  // dx; dy
  if (kind == "Flatten") return {0, 0, 0};
  return {1, 2, 0};  // activations: dx; y, dy
}

}  // namespace

Roof measure_roof(Backend& backend) {
  const NoGrad not_learning;
  Roof roof;
  const std::int64_t n = 1 << 24;
  {
    const Tensor x = Tensor::full({n}, 1, DType::f32, backend);
    Tensor y = Tensor::zeros({n}, DType::f32, backend);
    const double time = shortest(
        backend, 0.2, [&] { backend.affine(DType::f32, n, 2, 1, x.data(), y.mutable_data()); });
    roof.bytes = 8.0 * static_cast<double>(n) / time;
  }
  if (const auto* cpu = dynamic_cast<const CpuBackend*>(&backend)) {
    roof.flops = fma_peak(cpu->instruction_set(), cpu->threads(), 0.2);
    return roof;
  }
  const std::int64_t m = 1536;
  const Tensor a = Tensor::full({m, m}, 1, DType::f32, backend);
  Tensor c = Tensor::zeros({m, m}, DType::f32, backend);
  const double time = shortest(backend, 0.2, [&] {
    backend.gemm(DType::f32, {m, m, m, false, false, m, m, m, 0}, a.data(), a.data(),
                 c.mutable_data());
  });
  roof.flops = 2.0 * static_cast<double>(m * m * m) / time;
  roof.measured_by_product = true;
  return roof;
}

LayerWork work_of(const WalkStep& step, bool first, DType linear_weights) {
  const auto bytes = [](double numbers) { return 4 * numbers; };
  const auto in = static_cast<double>(step.in.numel()), out = static_cast<double>(step.out.numel());
  const auto parameters = static_cast<double>(step.parameters);
  LayerWork w;
  w.forward_flops = 2 * static_cast<double>(step.multiply_adds) * static_cast<double>(step.in[0]);
  w.backward_flops = w.forward_flops * (first ? 1 : 2);  // for dw, and for dx
  if (step.kind != "Flatten") w.forward_bytes = bytes(in + out + parameters);
  if (step.kind == "Linear") {  // out = W x + b: all parameters but the biases are W's
    const double weights = parameters - static_cast<double>(step.out[1]);
    w.forward_bytes -= (4.0 - static_cast<double>(size_of(linear_weights))) * weights;
  }
  const Passes p = backward_passes(step.kind, first);
  w.backward_bytes = bytes(p.in * in + p.out * out + p.parameters * parameters);
  return w;
}

std::vector<BenchedLayer> join(const std::vector<WalkStep>& steps,
                               const std::vector<LayerTime>& times, DType linear_weights) {
  const auto time_of = [&](const std::string& name) {
    return std::find_if(times.begin(), times.end(),
                        [&](const LayerTime& t) { return t.layer == name; });
  };
  std::vector<BenchedLayer> rows;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const WalkStep& step = steps[i];
    const auto time = time_of(step.name);
    LayerWork work = work_of(step, i == 0, linear_weights);
    if (time != times.end()) {
      rows.push_back({step.name, work, *time});
    } else if (step.kind == "ReLU" || step.kind == "MaxPool2d") {
      BenchedLayer& both = rows.back();
      both.name += "+" + step.name;
      const double between = 4.0 * static_cast<double>(step.in.numel());
      both.work.forward_bytes += work.forward_bytes - 2 * between;
      both.work.backward_bytes += work.backward_bytes;
    }  // else it has nothing to do: Flatten, and Dropout at inference
  }
  const auto rest = time_of("");
  if (rest != times.end()) rows.push_back({"loss, update", {}, *rest});
  return rows;
}

}  // namespace limulus::tools
