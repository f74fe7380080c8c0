#include "formats/onnx_file.h"

#ifdef LIMULUS_ONNX

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <limits>
#include <type_traits>

#include "core/error.h"
#include "formats/atomic_file.h"

namespace limulus {
namespace {

constexpr std::int64_t kIrVersion = 8;  // what came with opset 17

void put(const std::string& name, const OnnxTensor& from, onnx::TensorProto* to) {
  to->set_name(name);
  for (const std::int64_t size : from.shape) to->add_dims(size);
  if (from.is_float()) {
    to->set_data_type(onnx::TensorProto::FLOAT);
    to->set_raw_data(from.floats.data(), from.floats.size() * sizeof(float));
  } else {
    to->set_data_type(onnx::TensorProto::INT64);
    to->set_raw_data(from.integers.data(), from.integers.size() * sizeof(std::int64_t));
  }
}

void put(const std::string& name, const OnnxAttribute& from, onnx::AttributeProto* to) {
  to->set_name(name);
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::int64_t>) {
          to->set_type(onnx::AttributeProto::INT);
          to->set_i(value);
        } else if constexpr (std::is_same_v<T, float>) {
          to->set_type(onnx::AttributeProto::FLOAT);
          to->set_f(value);
        } else if constexpr (std::is_same_v<T, std::string>) {
          to->set_type(onnx::AttributeProto::STRING);
          to->set_s(value);
        } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
          to->set_type(onnx::AttributeProto::INTS);
          for (const std::int64_t i : value) to->add_ints(i);
        } else if constexpr (std::is_same_v<T, std::vector<float>>) {
          to->set_type(onnx::AttributeProto::FLOATS);
          for (const float f : value) to->add_floats(f);
        } else if constexpr (std::is_same_v<T, OnnxTensor>) {
          to->set_type(onnx::AttributeProto::TENSOR);
          put("", value, to->mutable_t());
        } else {
          throw ValueError(fmt::format("write_onnx: attribute '{}' is {}, which is not written",
                                       name, value.what));
        }
      },
      from);
}

// A size of -1 gets a name, by which a reader sees that it is the same everywhere.
void put(const OnnxValue& from, onnx::ValueInfoProto* to) {
  to->set_name(from.name);
  auto* type = to->mutable_type()->mutable_tensor_type();
  type->set_elem_type(from.dtype == "int64" ? onnx::TensorProto::INT64 : onnx::TensorProto::FLOAT);
  if (!from.shape) return;
  auto* shape = type->mutable_shape();
  for (const std::int64_t size : *from.shape) {
    auto* dim = shape->add_dim();
    if (size < 0)
      dim->set_dim_param("N");
    else
      dim->set_dim_value(size);
  }
}

}  // namespace

void write_onnx(const std::filesystem::path& path, const OnnxModel& model) {
  std::size_t bytes = 0;
  for (const auto& [name, t] : model.initializers)
    bytes += t.floats.size() * sizeof(float) + t.integers.size() * sizeof(std::int64_t);
  constexpr std::size_t most = std::numeric_limits<int>::max() - (std::size_t{16} << 20);
  if (bytes > most)
    throw ValueError(fmt::format("{}: the weights have {} bytes, and an ONNX file ends at 2 GB",
                                 path.string(), bytes));
  onnx::ModelProto m;
  m.set_ir_version(kIrVersion);
  m.set_producer_name(model.producer);
  m.set_producer_version(model.producer_version);
  auto* set = m.add_opset_import();
  set->set_domain("");
  set->set_version(model.opset);
  for (const auto& [key, value] : model.metadata) {
    auto* entry = m.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
  onnx::GraphProto* g = m.mutable_graph();
  g->set_name(model.name);
  for (const OnnxNode& from : model.nodes) {
    onnx::NodeProto* to = g->add_node();
    to->set_op_type(from.op);
    to->set_name(from.name);
    if (!from.domain.empty()) to->set_domain(from.domain);
    for (const std::string& name : from.inputs) to->add_input(name);
    for (const std::string& name : from.outputs) to->add_output(name);
    for (const auto& [name, value] : from.attributes) put(name, value, to->add_attribute());
  }
  for (const OnnxValue& v : model.inputs) put(v, g->add_input());
  for (const OnnxValue& v : model.outputs) put(v, g->add_output());
  for (const auto& [name, t] : model.initializers) put(name, t, g->add_initializer());
  std::string text;
  if (!m.SerializeToString(&text))
    throw ValueError(path.string() + ": the network does not fit into an ONNX file");
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace limulus

#endif
