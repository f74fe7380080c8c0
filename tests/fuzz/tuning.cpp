// The sizes of OpenCL kernels that `limulus tune` stores.
#include <string>

#include "backends/opencl/tuning.h"
#include "harness.h"

using namespace limulus;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const opencl::Tuning& start : {opencl::processor(16), opencl::gpu()}) {
    const fuzz::MemoryWatch watch(size);
    try {
      const opencl::Tuning read = opencl::tuning_from_json(text, start);
      fuzz::require(opencl::check_tuning(read).empty(), "sizes that are taken pass the check");
      const auto again = opencl::tuning_from_json(opencl::tuning_json(read), start);
      fuzz::require(opencl::difference(read, again).empty(), "what is written is what is read");
    } catch (const ValueError&) {  // ignored, with a line on stderr
    }
  }
  return 0;
}
