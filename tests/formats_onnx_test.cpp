// ONNX files: what is written comes back, and of what strangers wrote nothing is believed.
#include <doctest/doctest.h>

#include <cstring>

#include "core/error.h"
#include "formats/onnx_file.h"
#include "onnx_graphs.h"
#include "temporary_folder.h"

using namespace limulus;
using namespace onnx_graphs;
namespace fs = std::filesystem;

namespace {

bool skipped() {
  if (has_onnx()) return false;
  MESSAGE("skipped: this build has no ONNX (libonnx-dev, libprotobuf-dev)");
  return true;
}

OnnxModel small_model() {
  Graph g({-1, 3, 8, 8});
  g.model.opset = 17;
  g.model.producer = "a test";
  g.model.metadata = {{"classes", "[\"a\", \"b\"]"}};
  g.weight("conv1.weight", floats({4, 3, 3, 3})).weight("conv1.bias", floats({4}));
  g.node("Conv", {"x", "conv1.weight", "conv1.bias"}, "c",
         {{"pads", Ints{1, 1, 1, 1}}, {"auto_pad", std::string("NOTSET")}})
      .node("LRN", {"c"}, "y", {{"size", whole(5)}, {"alpha", 5e-4F}});
  return g.model;
}

// ---- protobuf by hand: a field is its number and kind, then a number or a length and bytes ------

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string number(int field, std::uint64_t value) { return varint(field << 3) + varint(value); }
std::string bytes(int field, const std::string& text) {
  return varint(field << 3 | 2) + varint(text.size()) + text;
}
std::string entry(const std::string& key, const std::string& value) {
  return bytes(13, bytes(1, key) + bytes(2, value));  // TensorProto.external_data
}
// A model of one Identity and this initializer.
std::string model_with(const std::string& tensor, const std::string& more_of_graph = "") {
  const std::string size = bytes(1, number(1, 4));  // a dimension of 4
  const std::string type = bytes(2, bytes(1, number(1, 1) + bytes(2, size)));
  const std::string node = bytes(1, "x") + bytes(2, "y") + bytes(4, "Identity");
  return number(1, 8) + bytes(8, bytes(1, "") + number(2, 17)) +
         bytes(7, bytes(1, node) + bytes(5, tensor) + bytes(11, bytes(1, "x") + type) +
                      bytes(12, bytes(1, "y") + type) + more_of_graph);
}
std::string tensor_of(const std::string& name, const Ints& shape, int type) {
  std::string t = bytes(8, name) + number(2, static_cast<std::uint64_t>(type));
  for (const std::int64_t size : shape) t += number(1, static_cast<std::uint64_t>(size));
  return t;
}

std::string error_of(const fs::path& path) {
  return message_of<FileError>([&] { read_onnx(path); });
}

}  // namespace

TEST_CASE("what is written comes back") {
  if (skipped()) return;
  const TemporaryFolder folder;
  const OnnxModel m = small_model();
  write_onnx(folder / "a.onnx", m);
  const OnnxModel r = read_onnx(folder / "a.onnx");
  CHECK(r.opset == 17);
  CHECK(r.producer == "a test");
  CHECK(r.metadata == m.metadata);
  REQUIRE(r.nodes.size() == 2);
  CHECK(r.nodes[0].op == "Conv");
  CHECK(r.nodes[0].inputs == m.nodes[0].inputs);
  CHECK(std::get<Ints>(r.nodes[0].attributes.at("pads")) == Ints{1, 1, 1, 1});
  CHECK(std::get<std::string>(r.nodes[0].attributes.at("auto_pad")) == "NOTSET");
  CHECK(std::get<float>(r.nodes[1].attributes.at("alpha")) == 5e-4F);
  CHECK(r.initializers.at("conv1.weight").floats == m.initializers.at("conv1.weight").floats);
  CHECK(*r.inputs[0].shape == Ints{-1, 3, 8, 8});
  write_onnx(folder / "b.onnx", m);
  CHECK(get_bytes(folder / "a.onnx") == get_bytes(folder / "b.onnx"));
}

TEST_CASE("every type of weight that is read") {
  if (skipped()) return;
  const TemporaryFolder folder;
  const auto read = [&](const std::string& tensor) {
    put_bytes(folder / "t.onnx", model_with(tensor));
    return read_onnx(folder / "t.onnx").initializers.at("w");
  };
  const auto raw = [](auto... values) {
    std::string all;
    const auto add = [&](auto v) { all.append(reinterpret_cast<const char*>(&v), sizeof v); };
    (add(values), ...);
    return bytes(9, all);
  };
  using Half = std::uint16_t;
  CHECK(read(tensor_of("w", {2}, 1) + raw(1.5F, -2.0F)).floats == std::vector<float>{1.5F, -2});
  CHECK(read(tensor_of("w", {2}, 11) + raw(1.5, -2.0)).floats == std::vector<float>{1.5F, -2});
  CHECK(read(tensor_of("w", {2}, 10) + raw(Half{0x3E00}, Half{0xC000})).floats ==
        std::vector<float>{1.5F, -2});
  CHECK(read(tensor_of("w", {2}, 16) + raw(Half{0x3FC0}, Half{0xC000})).floats ==
        std::vector<float>{1.5F, -2});
  CHECK(read(tensor_of("w", {2}, 7) + raw(std::int64_t{7}, std::int64_t{-1})).integers ==
        Ints{7, -1});
  CHECK(read(tensor_of("w", {2}, 6) + raw(std::int32_t{7}, std::int32_t{-1})).integers ==
        Ints{7, -1});
  // In fields of their types, as small tensors often are: float_data 4, int32_data 5, int64_data 7.
  const float f = 1.5F;
  std::string packed(reinterpret_cast<const char*>(&f), 4);
  CHECK(read(tensor_of("w", {1}, 1) + bytes(4, packed)).floats == std::vector<float>{1.5F});
  CHECK(read(tensor_of("w", {1}, 10) + bytes(5, varint(0x3E00))).floats ==
        std::vector<float>{1.5F});
  CHECK(read(tensor_of("w", {1}, 7) + bytes(7, varint(9))).integers == Ints{9});
  CHECK(read(tensor_of("w", {}, 7) + bytes(7, varint(9))).shape.empty());
  const OnnxTensor other = read(tensor_of("w", {2}, 2) + bytes(9, "ab"));  // uint8
  CHECK(other.dtype == "uint8");
  CHECK((other.floats.empty() && other.integers.empty()));
}

TEST_CASE("weights in a file beside this one, and nowhere else") {
  if (skipped()) return;
  const TemporaryFolder folder;
  const float values[4] = {1, 2, 3, 4};
  const std::string data(reinterpret_cast<const char*>(values), sizeof values);
  put_bytes(folder / "in/w.data", "########" + data);
  put_bytes(folder / "outside.data", "########" + data);
  const fs::path path = folder / "in/m.onnx";
  const auto external = [&](const std::string& location, const std::string& more = "") {
    put_bytes(path, model_with(tensor_of("w", {4}, 1) + number(14, 1) +
                               entry("location", location) + entry("offset", "8") + more));
  };
  external("w.data");
  CHECK(read_onnx(path).initializers.at("w").floats == std::vector<float>{1, 2, 3, 4});
  external("./w.data", entry("length", "16"));
  CHECK(read_onnx(path).initializers.at("w").floats == std::vector<float>{1, 2, 3, 4});

  fs::create_symlink("../outside.data", folder / "in/link.data");
  for (const std::string& location :
       {std::string("../outside.data"), (folder / "outside.data").string(), std::string(),
        std::string("link.data"), std::string("x/../../outside.data"),
        std::string("w.data\0x", 8)}) {
    CAPTURE(location);
    external(location);
    CHECK(has(error_of(path), "folder"));
  }
  external("none.data");
  CHECK(has(error_of(path), "which is not there: keep the two files together"));
  external("w.data", entry("length", "15"));
  CHECK(has(error_of(path), "bytes 8 to 23 of 24, where its shape needs 16"));
  external("w.data", entry("offset", "9"));  // the last one counts
  CHECK(has(error_of(path), "bytes 9 to 25 of 24"));
  for (const char* offset : {"-1", "9223372036854775807", "99999999999999999999", "8x"}) {
    CAPTURE(offset);
    external("w.data", entry("offset", offset));
    CHECK(has(error_of(path), "where its shape needs 16"));
  }
}

TEST_CASE("a file that was cut, at every byte") {
  if (skipped()) return;
  const TemporaryFolder folder;
  write_onnx(folder / "whole.onnx", small_model());
  const std::string whole = get_bytes(folder / "whole.onnx");
  std::size_t read = 0;
  for (std::size_t n = 0; n < whole.size(); ++n) {
    put_bytes(folder / "cut.onnx", whole.substr(0, n));
    try {  // where only what follows the graph is gone, the network is whole
      const OnnxModel m = read_onnx(folder / "cut.onnx");
      CHECK(m.nodes.size() == 2);
      CHECK(m.initializers.at("conv1.weight").floats.size() == 108);
      ++read;
    } catch (const FileError& error) {
      CHECK(has(error.what(), "cut.onnx"));
    }
  }
  CHECK(read <= 2);
  CHECK(has(error_of(folder / "none.onnx"), "cannot open"));
  put_bytes(folder / "text.onnx", "this is no network");
  CHECK(has(error_of(folder / "text.onnx"), "this is not an ONNX file"));
}

TEST_CASE("sizes that do not come out, and graphs that are none") {
  if (skipped()) return;
  const TemporaryFolder folder;
  const fs::path path = folder / "m.onnx";
  const auto tensor_error = [&](const std::string& tensor) {
    put_bytes(path, model_with(tensor));
    return error_of(path);
  };
  CHECK(tensor_error(tensor_of("w", {3}, 1) + bytes(9, "12345678")) ==
        path.string() +
            ": the initializer 'w': its shape [3] of float needs 3 x 4 = 12 bytes, and "
            "it has 8");
  CHECK(has(tensor_error(tensor_of("w", {-1}, 1)), "has a size of -1"));
  CHECK(has(tensor_error(tensor_of("w", {1ll << 40, 1ll << 40}, 1) + bytes(9, "1234")), "bytes"));
  CHECK(has(tensor_error(tensor_of("w", {1ll << 40}, 1)), "elements by its shape, and 0 values"));
  CHECK(has(tensor_error(tensor_of("w", {1}, 10) + bytes(5, varint(0x10000))),
            "which is no 16-bit value"));
  CHECK(has(tensor_error(tensor_of("w", {1}, 1) + number(14, 1)), "in its folder"));
  CHECK(tensor_error(tensor_of("w\033", {1ll << 40, 0}, 1)) == "");  // no elements

  const auto graph_error = [&](const OnnxModel& m) {
    write_onnx(path, m);
    return error_of(path);
  };
  OnnxModel m = small_model();
  m.nodes[0].inputs[0] = "y";  // reads what is made from it
  CHECK(has(graph_error(m),
            "node 'Conv_c' (Conv) reads 'y', which nothing before it makes: nodes "
            "stand in a circle or out of order"));
  m = small_model();
  m.nodes[0].outputs = {"c", "c"};
  CHECK(has(graph_error(m), "the value 'c' is made twice"));
  m = small_model();
  m.outputs[0].name = "z";
  CHECK(has(graph_error(m), "nothing makes its output 'z'"));
  m = small_model();
  m.inputs.push_back(m.inputs[0]);
  CHECK(has(graph_error(m), "the input 'x' is there twice"));

  const std::string one = tensor_of("w", {1}, 1) + bytes(9, "1234");
  put_bytes(path, model_with(one, bytes(5, one)));
  CHECK(has(error_of(path), "the initializer 'w' is there twice"));
  put_bytes(path, model_with(one, bytes(15, bytes(1, one))));
  CHECK(has(error_of(path), "sparse weights"));
  put_bytes(path, model_with(one) + bytes(25, bytes(1, "MyRelu")));
  CHECK(has(error_of(path), "functions of its own"));
  std::string many;
  for (int i = 0; i < 100'001; ++i) many += bytes(1, "");
  put_bytes(path, model_with(one, many));
  CHECK(has(error_of(path), "has 100002 nodes"));
  // A graph in a graph in a graph: protobuf stops at a hundred.
  std::string deep = bytes(4, "If");
  for (int i = 0; i < 200; ++i)
    deep = bytes(5, bytes(1, "g") + number(20, 5) + bytes(6, bytes(1, deep)));
  put_bytes(path, model_with(one, bytes(1, deep)));
  CHECK(has(error_of(path), "cut or damaged"));
}

TEST_CASE("without onnx and protobuf the error says what to install") {
  if (has_onnx()) {
    MESSAGE("skipped: this build has ONNX");
    return;
  }
  CHECK(has(error_of("net.onnx"), "libonnx-dev and libprotobuf-dev"));
}
