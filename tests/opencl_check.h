#pragma once
// What the tests of the OpenCL backend share.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "backends/opencl/opencl_backend.h"
#include "backends/registry.h"
#include "core/buffer_pool.h"
#include "gradcheck/cases/op_cases.h"
#include "scoped_environment.h"
#include "temporary_folder.h"

namespace limulus {

inline bool have_device() {
  if (!opencl_devices().devices.empty()) return true;
  std::printf("skipped: %s: there is no OpenCL device\n",
              doctest::getContextOptions()->currentTest->m_name);
  return false;
}

// A copy of the kernels in which `from` in `file` has become `to`.
inline void edit_kernels(const std::filesystem::path& folder, const std::string& file,
                         const std::string& from, const std::string& to) {
  std::filesystem::copy(std::filesystem::path(LIMULUS_SOURCE_DIR) / "backends/opencl/kernels",
                        folder);
  std::string text = get_bytes(folder / file);
  REQUIRE(has(text, from));
  text.replace(text.find(from), from.size(), to);
  put_bytes(folder / file, text);
}

// y = 2 x + 1 for x = 3
inline float two_x_plus_one(Backend& backend) {
  const Workspace x(backend.pool(), 4), y(backend.pool(), 4);
  const float three = 3;
  float result = 0;
  backend.upload(x.data(), &three, 4);
  backend.affine(DType::f32, 1, 2, 1, x.data(), y.data());
  backend.download(&result, y.data(), 4);
  return result;
}

// The update of weights, which is no row of the table.
inline void learn(Backend& backend) {
  const Workspace w(backend.pool(), 12), g(backend.pool(), 12), v(backend.pool(), 12);
  for (const Workspace* array : {&w, &g, &v}) backend.fill(DType::f32, 3, 1, array->data());
  for (const SgdRule rule : {SgdRule::paper, SgdRule::pytorch}) {
    SgdShape s;
    s.n = 3;
    s.rule = rule;
    backend.sgd_step(DType::f32, s, w.data(), g.data(), v.data());
  }
}

// The results of a row of the table, as numbers one after the other.
inline std::vector<double> numbers(const OpCase& c, DType dtype, Backend& backend) {
  std::vector<double> all;
  for (const Tensor& t : run_case(c, dtype, backend).values)
    for (const double v : t.to_doubles()) all.push_back(v);
  return all;
}

// A row beside the reference in double. (ops_parity_test has the sharper bound.)
inline void check_row(const OpCase& c, Backend& backend, DType dtype = DType::f32) {
  std::vector<double> got;
  CHECK_NOTHROW_MESSAGE(got = numbers(c, dtype, backend), c.name);
  const std::vector<double> exact = numbers(c, DType::f64, device("reference"));
  REQUIRE(got.size() == exact.size());
  double worst = 0, largest = 1;
  for (std::size_t i = 0; i < got.size(); ++i) {
    worst = std::max(worst, std::abs(got[i] - exact[i]));
    largest = std::max(largest, std::abs(exact[i]));
    if (std::isnan(got[i])) worst = INFINITY;
  }
  const double unit = dtype == DType::f32 ? 1e-5 : 2e-14;
  CHECK_MESSAGE(worst <= unit * c.condition * largest,
                c.name << " in " << name_of(dtype) << ": off by " << worst);
}

}  // namespace limulus
