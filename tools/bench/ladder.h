#pragma once
// What the ladders of `limulus bench ladder` are run with.
#include <string>

namespace limulus::tools {

struct LadderArguments {
  std::string device = "cpu", svg;
  std::string rungs;  // a folder in place of tools/bench/ladder: an OpenCL device's kernels
  int threads = 0;
  double seconds = 1;
  bool json = false;
};

// The ladder of docs/opencl.md, on an OpenCL device. DeviceError in a build without OpenCL.
void run_opencl_ladder(const LadderArguments& a);

}  // namespace limulus::tools
