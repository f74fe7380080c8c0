#pragma once
// A ladder on an OpenCL device: steps of one computation, each a kernel, timed and compared
// (docs/opencl.md). What the product's ladder and that of normalization share.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "backends/opencl/cl.h"
#include "core/backend.h"
#include "core/shape.h"

namespace limulus::tools {

// A rung, ready to run.
struct Step {
  std::string name;
  std::function<void()> run;  // until it is done
  std::function<std::vector<float>()> result;
  double seconds = 1e30, error = 0;  // the shortest run; the largest difference
};

struct ClimbedLadder {
  std::string title, unit;       // unit: of 1e9 a second
  std::string roof;              // what the roof is
  double work = 0;               // of a step, in units
  Shape shape;                   // of the result
  std::vector<double> expected;  // by textbook loops in double
  std::vector<Step> steps;
  std::function<double()> roof_now;  // measures it, in units a second; empty where it is unknown
  double best_roof = 0;
};

// A device with a queue of its own, for the rungs that are no part of the library.
class Bench {
 public:
  // `folder`: where the rungs' files are read, so that an edited one runs without a build; empty:
  // the embedded ones.
  Bench(std::string name, std::string folder);

  const std::string& name() const { return name_; }
  const cl::Device& device() const { return device_; }
  cl::CommandQueue& queue() { return queue_; }
  // DeviceError with the compiler's log.
  cl::Kernel kernel(const std::string& file, const std::string& options, const char* kernel);
  cl::Buffer upload(const std::vector<float>& values);
  std::vector<float> download(const cl::Buffer& buffer, std::size_t count);

 private:
  std::string text_of(const std::string& file) const;

  std::string name_, folder_;
  cl::Device device_;
  cl::Context context_;
  cl::CommandQueue queue_;
};

// C = A B, and local response normalization; the last step is `backend`'s primitive.
ClimbedLadder product_ladder(Bench& bench, Backend& backend);
ClimbedLadder normalization_ladder(Bench& bench, Backend& backend);

}  // namespace limulus::tools
