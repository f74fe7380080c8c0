// A correct implementation is never accused: random configurations of all layers, 1,000 through the
// kernels of the fastest backend and 200 through those of each other one, must all be found right,
// and none of them without a comparison.
#include <doctest/doctest.h>

#include <cstdio>
#include <set>
#include <string>

#include "backends/registry.h"
#include "gradcheck/cases/random_cases.h"
#include "gradcheck/gradcheck.h"

using namespace limulus;

namespace {

void check_configurations(const std::string& backend, std::int64_t count) {
  std::int64_t compared = 0, skipped = 0;
  std::set<std::string> layers;
  for (std::int64_t i = 0; i < count; ++i) {
    const RandomCase r = random_case(2012, i);
    layers.insert(r.c.op);
    std::vector<std::pair<std::string, Tensor>> inputs;
    const std::vector<Tensor> values = make_inputs(r.c, DType::f64, device(backend));
    for (std::size_t k = 0; k < values.size(); ++k)
      inputs.emplace_back(r.c.inputs[k].name, values[k]);
    const GradcheckReport report = gradcheck(r.c.f, inputs);
    CHECK_MESSAGE(report.ok(), backend << ": " << r.c.name << "\n" << report.text());
    for (const GradcheckTensor& t : report.tensors) {
      compared += t.compared;
      skipped += t.skipped;
    }
  }
  std::printf(
      "%s: %lld configurations of %zu layers and operations: %lld gradients compared, %lld "
      "skipped at kinks\n",
      backend.c_str(), static_cast<long long>(count), layers.size(),
      static_cast<long long>(compared), static_cast<long long>(skipped));
  CHECK(layers.size() >= 25);
  CHECK(skipped > 0);  // there are ties among the values
  CHECK(skipped * 20 < compared);
}

}  // namespace

TEST_CASE("random configurations are right on each backend") {
  for (const DeviceInfo& info : list_devices())
    check_configurations(info.name, info.name == "cpu" ? 1000 : 200);
}

// Losses close to 0 or far from it, whose rounding is not that of the result.
TEST_CASE("configurations that an earlier estimate of rounding called wrong") {
  for (const auto& [seed, number] :
       {std::pair{2002, 927}, std::pair{2012, 87}, std::pair{2038, 627}}) {
    const RandomCase r = random_case(static_cast<std::uint64_t>(seed), number);
    REQUIRE(r.c.op == "cross_entropy");
    const std::vector<Tensor> in = make_inputs(r.c, DType::f64, device("reference"));
    const GradcheckReport report = gradcheck(r.c.f, {{"x", in[0]}, {"labels", in[1]}});
    CHECK_MESSAGE(report.ok(), r.c.name << "\n" << report.text());
  }
}

TEST_CASE("a configuration is the same for the same numbers") {
  CHECK(random_case(1, 7).c.name == random_case(1, 7).c.name);
  CHECK(random_case(1, 7).c.name != random_case(2, 7).c.name);
}
