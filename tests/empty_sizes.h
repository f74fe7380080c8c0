#pragma once
// Sizes of zero: a family of calls of one primitive, and the check that each of its sizes may be
// zero.
#include "primitive_calls.h"

namespace limulus {

using Sizes = std::vector<std::int64_t>;
// How the calls of a primitive follow from its sizes.
struct Family {
  std::string name;
  Sizes sizes;
  std::function<PrimitiveCall(const Sizes&)> call;
};

inline Window1d axis(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t pad,
                     std::int64_t open) {
  Window1d w = Window1d::make(in, kernel, stride, pad, 1, false, "test", "axis");
  if (open == 0) w.out = 0;  // no output, for whatever reason
  return w;
}

// Every family with each of its sizes zero in turn, and with none, on every backend.
inline void check_families(const std::vector<Family>& all) {
  ReferenceBackend reference;
  const auto backends = all_backends();
  int calls = 0;
  for (const Family& f : all)
    for (std::size_t zero = 0; zero <= f.sizes.size(); ++zero)
      for (const DType dtype : {DType::f32, DType::f64}) {
        Sizes sizes = f.sizes;
        if (zero < sizes.size()) sizes[zero] = 0;  // and once with none: the families themselves
        const PrimitiveCall call = f.call(sizes);
        const auto wanted = results(call, dtype, reference);
        for (const auto& backend : backends) {
          std::string what = f.name + " on " + backend->name();
          for (const std::int64_t s : sizes) what.append(" ").append(std::to_string(s));
          check_close(what, results(call, dtype, *backend), wanted, 2e-4);
          ++calls;
        }
      }
  CHECK(calls >= 100);
}

}  // namespace limulus
