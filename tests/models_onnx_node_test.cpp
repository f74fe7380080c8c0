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

// The reason, and the tests that are refused for it (without "test_").
const std::vector<std::pair<const char*, std::vector<const char*>>> refused = {
    {"differs from image to image", {"add"}},
    {"is of the type uint8", {"add_uint8", "maxpool_2d_uint8"}},
    {"it reads [1, 3, 32], and images", {"averagepool_1d_default", "maxpool_1d_default"}},
    {"means without the border's zeros are computed only",
     {"averagepool_2d_same_lower", "averagepool_2d_same_upper"}},
    {"it reads [1, 3, 32, 32, 32], and images", {"averagepool_3d_default", "maxpool_3d_default"}},
    {"a constant stands beside",
     {"concat_1d_axis_0", "concat_1d_axis_negative_1", "concat_2d_axis_0", "concat_2d_axis_1",
      "concat_2d_axis_negative_1", "concat_2d_axis_negative_2", "concat_3d_axis_0",
      "concat_3d_axis_1", "concat_3d_axis_2", "concat_3d_axis_negative_1",
      "concat_3d_axis_negative_2", "concat_3d_axis_negative_3"}},
    {"has 0 inputs and 1 outputs", {"constant"}},
    {"is of the type int32", {"edge_pad", "reflect_pad"}},
    {"an image becomes a row, which is axis 1",
     {"flatten_axis0", "flatten_axis2", "flatten_axis3", "flatten_negative_axis1",
      "flatten_negative_axis2", "flatten_negative_axis4"}},
    {"the rows are images, which are not transposed", {"gemm_all_attributes", "gemm_transposeA"}},
    {"must have one number for each of 4 outputs", {"gemm_default_matrix_bias"}},
    {"its weight has 3 axes", {"matmul_3d"}},
    {"its weight has 4 axes", {"matmul_4d"}},
    {"windows of pools have no gaps", {"maxpool_2d_dilations"}},
    {"only the mean over height and width",
     {"reduce_mean_default_axes_keepdims_example", "reduce_mean_default_axes_keepdims_random",
      "reduce_mean_do_not_keepdims_example", "reduce_mean_do_not_keepdims_random",
      "reduce_mean_keepdims_example", "reduce_mean_keepdims_random",
      "reduce_mean_negative_axes_keepdims_example", "reduce_mean_negative_axes_keepdims_random"}},
    {"an image can only become a row",
     {"reshape_allowzero_reordered", "reshape_extended_dims", "reshape_negative_dim",
      "reshape_negative_extended_dims", "reshape_one_dim", "reshape_reordered_all_dims",
      "reshape_reordered_last_dims", "reshape_zero_and_negative_dim", "reshape_zero_dim"}},
    {"it is taken over the last axis", {"softmax_axis_0", "softmax_axis_1"}},
    {"only images of one pixel lose", {"squeeze", "squeeze_negative_axes"}},
};

// Those that draw at random, or take the batch's own statistics: exported for training. Here a
// network does so only while it is trained.
const std::set<std::string> of_training = {"test_batchnorm_epsilon_training_mode",
                                           "test_batchnorm_example_training_mode",
                                           "test_training_dropout",
                                           "test_training_dropout_default",
                                           "test_training_dropout_default_mask",
                                           "test_training_dropout_mask"};

std::string reason_for(const std::string& name) {
  for (const auto& [reason, names] : refused)
    for (const char* other : names)
      if (name == std::string("test_") + other) return reason;
  return "";
}

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
  std::set<std::string> passed, not_read, trained;
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
      CHECK_MESSAGE(outcome.same != of_training.contains(name),
                    "it was read, and computed something else");
      (outcome.same ? passed : trained).insert(name);
      continue;
    }
    not_read.insert(name);
    const std::string reason = reason_for(name);
    CHECK_MESSAGE(!reason.empty(), "refused: " << outcome.error);
    CHECK_MESSAGE(outcome.error.find(reason) != std::string::npos, outcome.error);
  }
  std::size_t listed = 0;
  for (const auto& [reason, names] : refused) listed += names.size();
  CHECK(passed.size() == 68);
  CHECK(trained.size() == of_training.size());
  CHECK(not_read.size() == listed);
  MESSAGE("" << passed.size() << " passed, " << not_read.size() << " refused, " << trained.size()
             << " do otherwise in training");
}
