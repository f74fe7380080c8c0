// Values and gradients that PyTorch computed in double (golden/make_golden.py), on every device.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "backends/registry.h"
#include "core/algebra.h"
#include "layers/activation.h"
#include "layers/avg_pool2d.h"
#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/cross_entropy.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"
#include "layers/softmax.h"

using namespace limulus;
using nlohmann::json;

namespace {

const json& golden() {
  static const json all = [] {
    std::ifstream file(LIMULUS_SOURCE_DIR "/tests/golden/golden.json");
    REQUIRE_MESSAGE(file, "tests/golden/golden.json is missing; make_golden.py writes it");
    return json::parse(file);
  }();
  return all;
}

Tensor tensor(const json& j, DType dtype, Backend& backend) {
  const Shape shape(j["shape"].get<std::vector<std::int64_t>>());
  return Tensor::from(j["data"].get<std::vector<double>>(), shape, backend).to_dtype(dtype);
}

Size2d size(const json& j) { return {j[0].get<std::int64_t>(), j[1].get<std::int64_t>()}; }

std::string title(const json& c) {
  return fmt::format("{} {} x {}", c["op"].get<std::string>(), c["options"].dump(),
                     c["inputs"].begin().value()["shape"].dump());
}

// |value - golden| within some roundings of the tensor's size; PyTorch rounds, too.
void check_close(const Tensor& t, const json& wanted, const std::string& what) {
  CHECK_MESSAGE(t.shape() == Shape(wanted["shape"].get<std::vector<std::int64_t>>()), what);
  const auto values = t.to_doubles(), exact = wanted["data"].get<std::vector<double>>();
  REQUIRE_MESSAGE(values.size() == exact.size(), what);
  double squares = 0;
  for (const double v : exact) squares += v * v;
  const double rms = std::sqrt(squares / static_cast<double>(exact.size()));
  const double bound = t.dtype() == DType::f64 ? 1e-13 : 2e-5;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool close =
        std::abs(values[i] - exact[i]) <= bound * std::max({std::abs(exact[i]), rms, 1e-3});
    CHECK_MESSAGE(close, what << "[" << i << "] is " << values[i] << ", not " << exact[i]);
    if (!close) break;
  }
}

struct Run {  // of one case
  const json& options;
  std::map<std::string, Tensor> in;
  std::map<std::string, Tensor> also;  // results besides y
};

Tensor pool(Run& r, bool max) {
  const json& o = r.options;
  Pool2dOptions p;
  p.kernel = size(o["kernel"]);
  p.stride = size(o["stride"]);
  p.pad = size(o["pad"]);
  p.ceil = o["ceil"];
  if (max) return max_pool2d(r.in["x"], p);
  p.count_include_pad = o["count_include_pad"];
  return avg_pool2d(r.in["x"], p);
}

const std::map<std::string, std::function<Tensor(Run&)>>& functions() {
  static const auto all = [] {
    std::map<std::string, std::function<Tensor(Run&)>> f;
    f["conv2d"] = [](Run& r) {
      Conv2dOptions o;
      o.stride = size(r.options["stride"]);
      o.pad = size(r.options["pad"]);
      o.dilation = size(r.options["dilation"]);
      o.groups = r.options["groups"];
      return conv2d(r.in["x"], r.in["w"], r.in["b"], o);
    };
    f["lrn"] = [](Run& r) {
      LrnOptions o;
      o.size = r.options["size"];
      o.alpha = r.options["alpha"];
      o.beta = r.options["beta"];
      o.k = r.options["k"];
      o.convention = AlphaConvention::per_element;
      return local_response_norm(r.in["x"], o);
    };
    f["max_pool2d"] = [](Run& r) { return pool(r, true); };
    f["avg_pool2d"] = [](Run& r) { return pool(r, false); };
    f["batch_norm"] = [](Run& r) {
      const Tensor& x = r.in["x"];
      for (const char* name : {"running_mean", "running_var"})
        r.also[name] = tensor(r.options[name], x.dtype(), x.backend());
      return batch_norm2d(x, r.in["w"], r.in["b"], r.also["running_mean"], r.also["running_var"],
                          r.options["training"], {r.options["momentum"], r.options["eps"]});
    };
    f["linear"] = [](Run& r) { return linear(r.in["x"], r.in["w"], r.in["b"]); };
    f["softmax"] = [](Run& r) { return softmax(r.in["x"]); };
    f["cross_entropy"] = [](Run& r) { return cross_entropy(r.in["x"], r.in["labels"]); };
    for (const UnaryOp op :
         {UnaryOp::neg, UnaryOp::exp, UnaryOp::log, UnaryOp::sqrt, UnaryOp::square, UnaryOp::abs,
          UnaryOp::relu, UnaryOp::sigmoid, UnaryOp::tanh})
      f[name_of(op)] = [op](Run& r) { return unary(op, r.in["x"]); };
    return f;
  }();
  return all;
}

void check_case(const json& c, DType dtype, Backend& backend) {
  const std::string what = fmt::format("{} on {}", title(c), backend.name());
  Run r{c["options"], {}, {}};
  for (const auto& [name, value] : c["inputs"].items()) {
    Tensor& t = r.in[name] = tensor(value, name == "labels" ? DType::i64 : dtype, backend);
    if (name != "labels" && name != "dy") t.set_requires_grad();
  }
  const Tensor y = functions().at(c["op"])(r);
  y.backward(r.in["dy"]);
  r.also["y"] = y;
  for (const auto& [name, t] : r.in) r.also[fmt::format("d{}", name)] = t.grad();
  for (const auto& [name, wanted] : c["outputs"].items())
    check_close(r.also.at(name), wanted, fmt::format("{}: {}", what, name));
}

// Three steps of the rule, by the primitive itself.
void check_sgd(const json& c, DType dtype, Backend& backend) {
  const json& o = c["options"];
  const bool paper = o["rule"] == "paper";
  Tensor w = tensor(c["inputs"]["w"], dtype, backend), v = Tensor::zeros(w.shape(), dtype, backend);
  const SgdShape s = {w.numel(), o["lr"], o["momentum"], o["weight_decay"],
                      paper ? SgdRule::paper : SgdRule::pytorch};
  for (int step = 0; step < 3; ++step) {
    const Tensor g = tensor(c["inputs"][fmt::format("g{}", step)], dtype, backend);
    backend.sgd_step(dtype, s, w.mutable_data(), g.data(), v.mutable_data());
    check_close(w, c["outputs"][fmt::format("w{}", step)],
                fmt::format("{} on {}: w after step {}", title(c), backend.name(), step));
  }
}

}  // namespace

TEST_CASE("values and gradients are PyTorch's") {
  std::set<std::string> ops;
  for (const DeviceInfo& info : list_devices())
    for (const json& c : golden()["cases"]) {
      const std::string op = c["op"];
      ops.insert(op);
      for (const DType dtype : {DType::f64, DType::f32})
        if (op == "sgd")
          check_sgd(c, dtype, device(info.name));
        else
          check_case(c, dtype, device(info.name));
    }
  CHECK(ops.size() == 18);
}
