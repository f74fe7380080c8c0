#pragma once
// AlexNet's passes over memory: layers that compute little, each as a call of the primitive and a
// list of its arrays. Fully connected layers are among them when the batch is one image.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/rng.h"
#include "core/tensor.h"
#include "tools/bench/probes/stream_probe.h"

namespace limulus {

struct Pass {
  std::vector<cpu::StreamArray> arrays;
  std::function<void()> run;  // empty: only streams
};

// Makes arrays of random numbers or of zeros, and keeps them.
class Arrays {
 public:
  explicit Arrays(Backend& backend) : backend_(backend) {}
  float* input(std::int64_t n);
  float* output(std::int64_t n);

 private:
  float* keep(const Tensor& t);
  Backend& backend_;
  Rng rng_{1};
  std::vector<Tensor> kept_;
};

// A pass that is not asked for need not be made.
struct Entry {
  std::string name;
  std::function<Pass(Backend& cpu, Arrays& arrays)> make;
};

std::vector<Entry> alexnet_passes(std::int64_t batch);

}  // namespace limulus
