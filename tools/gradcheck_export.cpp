#include "tools/gradcheck_export.h"

#include <fmt/core.h>

#include <list>
#include <nlohmann/json.hpp>

#include "core/rng.h"
#include "formats/atomic_file.h"
#include "formats/safetensors.h"
#include "gradcheck/cases/random_cases.h"
#include "gradcheck/gradcheck.h"
#include "tools/terminal.h"

namespace limulus::tools {
namespace {

// Tensors on the host, named "17/x"; they live until they are written.
class Collection {
 public:
  void add(const std::string& name, const Tensor& t) {
    if (t.dtype() == DType::i64)
      add(name, DType::i64, t.shape(), labels_.emplace_back(t.to_vector<std::int64_t>()).data());
    else
      add(name, DType::f64, t.shape(), values_.emplace_back(t.to_vector<double>()).data());
  }
  void write(const std::filesystem::path& path) { write_safetensors(path, std::move(items_)); }

 private:
  void add(const std::string& name, DType dtype, const Shape& shape, const void* data) {
    items_.push_back({name, dtype, shape.sizes(), data});
  }
  std::vector<SafetensorsItem> items_;
  std::list<std::vector<double>> values_;
  std::list<std::vector<std::int64_t>> labels_;
};

}  // namespace

void export_gradients(const std::filesystem::path& folder, std::int64_t count, std::uint64_t seed,
                      Backend& backend) {
  make_folders(folder);
  Collection tensors;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (std::int64_t i = 0; i < count; ++i) {
    const RandomCase r = random_case(seed, i);
    std::vector<Tensor> in = make_inputs(r.c, DType::f64, backend);
    std::vector<std::pair<std::string, Tensor>> named;
    nlohmann::ordered_json names = nlohmann::ordered_json::array();
    for (std::size_t k = 0; k < in.size(); ++k) {
      named.emplace_back(r.c.inputs[k].name, in[k]);
      names.push_back(r.c.inputs[k].name);
    }
    const GradcheckReport report = gradcheck(r.c.f, named);

    for (Tensor& t : in)
      if (t.dtype() == DType::f64) t.set_requires_grad();
    const Tensor y = r.c.f(in);
    Tensor dy = Tensor::empty(y.shape(), DType::f64, backend);
    Rng rng(seed, stream_of("cotangent", static_cast<std::uint64_t>(i)));
    fill_normal(dy, 0, 1, rng);
    y.backward(dy);

    const std::string prefix = fmt::format("{}/", i);
    tensors.add(prefix + "y", y);
    tensors.add(prefix + "dy", dy);
    for (std::size_t k = 0; k < in.size(); ++k) {
      tensors.add(prefix + named[k].first, in[k]);
      if (in[k].requires_grad()) tensors.add(prefix + "d" + named[k].first, in[k].grad());
    }
    all.push_back({{"number", i},
                   {"settings", nlohmann::ordered_json::parse(r.settings)},
                   {"inputs", std::move(names)},
                   {"verdict", name_of(report.verdict())}});
  }
  tensors.write(folder / "tensors.safetensors");
  write_file_atomically(folder / "configurations.json", json_text(all) + "\n");
}

}  // namespace limulus::tools
