#include "models/onnx_classifier.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "core/error.h"
#include "core/printable.h"

namespace limulus {

OnnxClassifier read_onnx_classifier(const std::filesystem::path& path, Backend& backend,
                                    DType dtype) {
  OnnxModel model = read_onnx(path);
  OnnxClassifier net{network_from_onnx(model, path.string(), backend, dtype, OnnxOutput::logits),
                     std::move(model.metadata)};
  const auto fail = [&](const std::string& message) {
    return FileError(fmt::format("{}: {}", printable(path.string()), message));
  };
  const Shape& in = net.input;
  if (in.rank() != 3 || (in[0] != 1 && in[0] != 3) || in[1] != in[2])
    throw fail(fmt::format(
        "its input is [N, {}], and a network for pictures has [N, 3, S, S] or [N, 1, S, S]; export "
        "with a picture of that size",
        fmt::join(in.sizes(), ", ")));
  if (in[1] > 4096) throw fail(fmt::format("its pictures are {} wide, and at most 4096", in[1]));
  if (net.output.rank() != 1 || net.output[0] < 2)
    throw fail(fmt::format(
        "its output is [N, {}], and a classifier has [N, classes], of two or more; end it with a "
        "Flatten or Linear",
        fmt::join(net.output.sizes(), ", ")));
  if (net.network->parameters().empty()) throw fail("it has no weights: nothing could be learned");
  return net;
}

}  // namespace limulus
