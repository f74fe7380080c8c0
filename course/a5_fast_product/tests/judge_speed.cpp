// What is timed of assignment 5: products of single precision, by the library's kernel on the same
// arrays. It runs on one thread and with AVX2 alone (the grader sets LIMULUS_THREADS and
// LIMULUS_ISA).
#include "judge_speed.h"

#include <cmath>

#include "backends/registry.h"
#include "core/backend.h"

namespace course {
namespace {

void library(const Integers& sizes, const std::vector<float*>& inputs, float* output) {
  limulus::GemmShape s;
  s.m = sizes[0], s.n = sizes[1], s.k = sizes[2];
  s.lda = s.k, s.ldb = s.n, s.ldc = s.n;
  limulus::Backend& cpu = limulus::device("cpu");
  cpu.gemm(limulus::DType::f32, s, inputs[0], inputs[1], output);
  cpu.synchronize();
}

Speed product(const char* call, std::int64_t m, std::int64_t n, std::int64_t k) {
  Speed s;
  s.call = call;
  s.sizes = {m, n, k};
  s.inputs = {m * k, k * n};
  s.output = m * n;
  s.operations = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  s.library = library;
  s.check = [=](const Doubles& expected, const Doubles& got) {
    compare("C", Shape{m, n}, expected, got, 2e-6 * std::sqrt(static_cast<double>(k)));
  };
  return s;
}

}  // namespace

void add_timed(std::vector<Case>& cases) {
  static const Speed loops = product("loops", 720, 720, 720),
                     blocked = product("blocked", 720, 720, 720),
                     square = product("fast", 1000, 1000, 1000),
                     conv3 = product("fast", 384, 4 * 169, 256 * 9);
  cases.push_back({"loops_speed", nullptr, nullptr, &loops});
  cases.push_back({"blocked_speed", nullptr, nullptr, &blocked});
  cases.push_back({"fast_square", nullptr, nullptr, &square});
  cases.push_back({"fast_conv3", nullptr, nullptr, &conv3});
}

}  // namespace course
