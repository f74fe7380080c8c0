// ONNX's own tests of single operators (Debian's libonnx-testdata), as many as there are of those
// operators that a network can have here: each is read as a network of one layer, and computes what
// its file says; or it is refused, and `refused` below says why. What is in neither list, or in the
// wrong one, fails.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "backends/registry.h"
#include "core/error.h"
#include "formats/onnx_file.h"
#include "models/onnx_import.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

const fs::path data = "/usr/share/libonnx-testdata/data/node";

const std::set<std::string> operators = {
    "Conv",          "MaxPool",    "AveragePool", "GlobalAveragePool",
    "GlobalMaxPool", "LRN",        "Gemm",        "MatMul",
    "Add",           "Relu",       "Sigmoid",     "Tanh",
    "Softmax",       "Flatten",    "Reshape",     "BatchNormalization",
    "Dropout",       "Identity",   "Concat",      "Constant",
    "Pad",           "ReduceMean", "Squeeze"};

struct Outcome {
  std::string error;  // of reading; "": it was read
  bool same = false;  // and computed what the file says
};

// The first input is the image, the others are constants, as the weights of a network are.
Outcome run(const fs::path& folder) {
  Outcome outcome;
  try {
    OnnxModel model = read_onnx(folder / "model.onnx");
    std::vector<OnnxTensor> given;
    for (std::size_t i = 0; i < model.inputs.size(); ++i)
      given.push_back(read_onnx_tensor(folder / "test_data_set_0" / fmt::format("input_{}.pb", i)));
    while (model.inputs.size() > 1) {
      model.initializers[model.inputs.back().name] = given[model.inputs.size() - 1];
      model.inputs.pop_back();
    }
    // Only the first output can be asked for.
    model.outputs.resize(1);
    Backend& backend = device("reference");
    OnnxNetwork net = network_from_onnx(model, folder.filename().string(), backend);
    net.network->eval();
    const OnnxTensor wanted = read_onnx_tensor(folder / "test_data_set_0/output_0.pb");
    const Tensor x = Tensor::from(given[0].floats, Shape(given[0].shape), backend);
    const Tensor y = net.network->forward(x);
    const std::vector<double> values = y.to_doubles();
    outcome.same = y.shape() == Shape(wanted.shape);
    for (std::size_t i = 0; outcome.same && i < values.size(); ++i)
      outcome.same =
          std::abs(values[i] - wanted.floats[i]) <= 1e-5 + 1e-4 * std::abs(wanted.floats[i]);
  } catch (const Error& error) {
    outcome.error = error.what();
  }
  return outcome;
}

// Tests that are refused, and a part of the reason.
const std::vector<std::pair<const char*, const char*>> refused = {
#include "onnx_node_refused.inc"
};

}  // namespace

TEST_CASE("ONNX's own tests of single operators") {
  if (!has_onnx() || !fs::is_directory(data)) {
    MESSAGE("skipped: " << (has_onnx() ? "there are no tests of ONNX (Debian's libonnx-testdata)"
                                       : "this build has no ONNX (libonnx-dev, libprotobuf-dev)"));
    return;
  }
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(data)) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  std::set<std::string> passed, not_read;
  for (const fs::path& folder : folders) {
    OnnxModel model;
    try {
      model = read_onnx(folder / "model.onnx");
    } catch (const FileError&) {
      continue;  // functions and other things that no network of these operators has
    }
    const bool ours = !model.nodes.empty() &&
                      std::all_of(model.nodes.begin(), model.nodes.end(),
                                  [](const OnnxNode& n) { return operators.contains(n.op); });
    if (!ours) continue;
    const std::string name = folder.filename().string();
    CAPTURE(name);
    const Outcome outcome = run(folder);
    if (outcome.error.empty()) {
      CHECK_MESSAGE(outcome.same, "it was read, and computed something else");
      if (outcome.same) passed.insert(name);
      continue;
    }
    not_read.insert(name);
    const auto expected = std::find_if(refused.begin(), refused.end(),
                                       [&](const auto& r) { return r.first == name; });
    CHECK_MESSAGE(expected != refused.end(), "refused: " << outcome.error);
    if (expected != refused.end())
      CHECK_MESSAGE(outcome.error.find(expected->second) != std::string::npos, outcome.error);
  }
  for (const auto& [name, reason] : refused) CHECK_MESSAGE(not_read.contains(name), name);
  CHECK(passed.size() == 0);
  CHECK(not_read.size() == refused.size());
  MESSAGE("" << passed.size() << " passed, " << not_read.size() << " refused");
}
