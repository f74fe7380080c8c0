// What a network holds while it runs.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "backends/cpu/cpu_backend.h"
#include "core/buffer_pool.h"
#include "models/alexnet.h"

using namespace limulus;

// Layer by layer by hand, with nothing alive but a layer's input and output (and the images, which
// are the caller's) and what the layer works with: a network needs no more than that.
TEST_CASE("inference holds two activations at a time") {
  if (cpu_instruction_set().empty()) {
    MESSAGE("skipped: this processor has no AVX2");
    return;
  }
  for (const std::int64_t batch : {2, 9}) {
    CpuBackend backend(2);  // of its own: what counts is the most that it ever handed out
    const Network net = alexnet(1000, backend);
    net->eval();
    const Shape in = {batch, 3, 227, 227};
    const std::vector<WalkStep> steps = net->walk(in);
    std::map<std::string, Module*> layers;
    net->visit([&](const std::string& name, Module& m) { layers[name] = &m; });
    const Tensor x = Tensor::zeros(in, DType::f32, backend);
    const NoGrad no_grad;
    std::size_t before = 0, neighbours = 0;    // bytes: all that stays, and the largest pair's
    for (const bool packed : {false, true}) {  // the first pass packs weights, which are kept
      Tensor y = x;
      if (packed) before = backend.pool().stats().live_bytes;
      for (std::size_t i = 0; i < steps.size(); ++i) {
        Module& layer = *layers.at(steps[i].name);
        Tensor out;
        if (i + 1 < steps.size()) out = layer.forward_fused(y, *layers.at(steps[i + 1].name));
        if (out.defined())
          ++i;
        else
          out = layer.forward(y);
        const std::size_t input = y.data() == x.data() ? 0 : y.bytes();
        if (out.data() != y.data()) neighbours = std::max(neighbours, input + out.bytes());
        y = out;
      }
    }
    const PoolStats by_hand = backend.pool().stats();
    CHECK(by_hand.peak_bytes >= before + neighbours);

    net->forward(x);
    CHECK(backend.pool().stats().peak_bytes == by_hand.peak_bytes);
  }
}
