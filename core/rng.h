#pragma once
// Random numbers for people: named sequences on top of Philox (core/philox.h).
//
// A sequence is named by (seed, stream), and its n-th word is always the same, on every machine.
// Streams are made with stream_of("weights", ...), so that the numbers for one purpose never depend
// on how many were drawn for another.
#include <cstdint>
#include <span>
#include <string_view>

#include "core/philox.h"
#include "core/tensor.h"

namespace limulus {

// A stream number from a purpose and up to two counters (layer, step; epoch, image ...).
std::uint64_t stream_of(std::string_view purpose, std::uint64_t a = 0, std::uint64_t b = 0);

class Rng {
 public:
  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0) : key_{seed, stream} {}

  std::uint32_t word();  // uniform in [0, 2^32)
  double uniform();      // in [0, 1), with 53 random bits
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal();                       // mean 0, deviation 1 (Box and Muller 1958)
  void normals(std::span<double> to);    // the next of them, faster
  std::uint64_t below(std::uint64_t n);  // uniform in [0, n), without bias; n >= 1

 private:
  PhiloxKey key_;
  std::uint64_t drawn_ = 0;
  PhiloxWords block_{};
  double spare_ = 0;
  bool has_spare_ = false;
};

// Overwrites t (f32 or f64) with draws, the same on every backend.
void fill_uniform(Tensor& t, double low, double high, Rng& rng);
void fill_normal(Tensor& t, double mean, double deviation, Rng& rng);

}  // namespace limulus
