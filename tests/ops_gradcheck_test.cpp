// Every row of the table, differentiated twice: by backward() and by differences, on every device.
#include <doctest/doctest.h>

#include <cstdio>

#include "backends/registry.h"
#include "gradcheck/cases/op_cases.h"
#include "gradcheck/gradcheck.h"

using namespace limulus;

TEST_CASE("gradients of all operations agree with differences") {
  for (const DeviceInfo& info : list_devices()) {
    Backend& backend = device(info.name);
    if (!backend.has_double()) {
      std::printf("skipped: %s computes in float only\n", info.name.c_str());
      continue;
    }
    int rows = 0;
    std::int64_t compared = 0, skipped = 0;
    for (const OpCase& c : op_cases()) {
      if (c.large) continue;
      std::vector<std::pair<std::string, Tensor>> inputs;
      const std::vector<Tensor> tensors = make_inputs(c, DType::f64, backend);
      for (std::size_t i = 0; i < tensors.size(); ++i)
        inputs.push_back({c.inputs[i].name, tensors[i]});
      GradcheckReport r;
      CHECK_NOTHROW_MESSAGE(r = gradcheck(c.f, inputs), c.name);
      CHECK_MESSAGE(r.ok(), c.name << " on " << info.name << "\n" << r.text());
      ++rows;
      for (const GradcheckTensor& t : r.tensors) {
        compared += t.compared;
        skipped += t.skipped;
      }
    }
    std::printf("%s: %d rows, %lld gradients compared, %lld skipped at kinks\n", info.name.c_str(),
                rows, static_cast<long long>(compared), static_cast<long long>(skipped));
    CHECK(rows >= 200);
    CHECK(skipped * 100 < compared);  // the table avoids kinks
  }
}
