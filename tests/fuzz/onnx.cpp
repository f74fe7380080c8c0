// Networks from strangers: an ONNX file, and the layers that it becomes. Nothing is computed; the
// sizes of all layers are.
#include "backends/registry.h"
#include "core/error.h"
#include "formats/onnx_file.h"
#include "models/description.h"
#include "models/onnx_classifier.h"

#include "harness.h"

using namespace limulus;

namespace {

void use(const OnnxModel& m) {
  for (const auto& [name, t] : m.initializers) {
    const auto values = static_cast<std::int64_t>(t.floats.size() + t.integers.size());
    fuzz::require(values == (t.is_float() || t.is_integer() ? t.numel() : 0),
                  "a tensor has a value for each element");
  }
}

void use(const OnnxNetwork& net) {
  const std::string text = describe(*net.network, net.input);
  const DescribedNetwork again = network_from(text, 0, device("reference"));
  fuzz::require(describe(*again.network, again.input) == text, "a description comes back");
  const auto walk = [&](const Module& m) {
    return m.walk({1, net.input[0], net.input[1], net.input[2]}).back().out;
  };
  fuzz::require(walk(*net.network) == Shape{1, net.output[0]}, "the output has the size it had");
  fuzz::require(walk(*again.network) == Shape{1, net.output[0]}, "and so has the description's");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::MemoryFile file;
  file.set({data, size});
  if (fuzz::accepted(size, file.path(), [&] { use(read_onnx(file.path())); }))
    fuzz::accepted(size, file.path(),
                   [&] { use(read_onnx_classifier(file.path(), device("reference"))); });
  return 0;
}
