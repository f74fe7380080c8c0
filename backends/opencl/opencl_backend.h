#pragma once
// The OpenCL backend: every primitive as a kernel in kernels/*.cl, on any device with an OpenCL 1.2
// driver. README.md in this folder says in which order to read it.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/backend.h"

namespace limulus {

namespace opencl {
class Runtime;
struct Tuning;
}  // namespace opencl

// A device of this machine, and what it supports: ("numbers", "float, double") ...
struct OpenClDevice {
  std::string name, description;
  std::vector<std::pair<std::string, std::string>> facts;
  std::string refused;  // "" or why it cannot be used
};
struct OpenClDevices {
  std::vector<OpenClDevice> devices;  // "opencl:0" ...; empty where there is no driver
  std::vector<std::string> troubles;  // drivers that list none, or fail, with what they say
};
// With `checked` each is opened, so that one that fails its self-check (self_check.h) says so.
OpenClDevices opencl_devices(bool checked = false);

class OpenClBackend final : public Backend {
 public:
  // "opencl:0", or a part of it, "opencl:0/2" (devices.h). DeviceError if there is no device of
  // that name (it says what exists, or what to install), and if the device computes wrong numbers
  // (self_check.h).
  explicit OpenClBackend(std::string name);
  // With these sizes in place of the device's own, and no self-check: to measure them (tuning.h).
  OpenClBackend(std::string name, const opencl::Tuning& tuning);
  ~OpenClBackend() override;

  std::string name() const override { return name_; }
  std::string description() const override;
  bool has_double() const override;
  void pretend_no_double();  // for tests: acts like a device without double precision
  const opencl::Tuning& tuning() const;
  // For tests: kernels that never ran although their file was used, "gemm f32 pack_a" ..., and
  // files none of whose kernels ran, "winograd".
  std::vector<std::string> kernels_not_run();
  // Keeps sizes for this device and driver; used from the next start on. Returns the file.
  std::string store_tuning(const opencl::Tuning& tuning) const;

  // Handles point to an opencl::Buffer (runtime.h).
  void* allocate(std::size_t bytes) override;
  void deallocate(void* buffer, std::size_t bytes) noexcept override;
  bool reuses(std::size_t bytes) const override;  // with guards (guard.h), no pool is used
  bool host_memory() const override { return false; }
  void upload(void* dst, const void* host, std::size_t bytes) override;
  void download(void* host, const void* src, std::size_t bytes) override;
  void synchronize() override;

  // matrix.cpp
  void gemm(DType dtype, const GemmShape& s, const void* a, const void* b, void* c) override;
  bool linear_fuses_relu() const override { return true; }
  bool conv2d_fuses_relu() const override { return true; }
  void linear_forward(DType dtype, const LinearShape& s, const void* x, const void* w,
                      const void* b, void* y) override;
  // convolution.cpp
  void conv2d_forward(DType dtype, const Conv2dShape& s, const void* x, const void* w,
                      const void* b, void* y) override;
  void conv2d_backward_input(DType dtype, const Conv2dShape& s, const void* dy, const void* w,
                             void* dx) override;
  void conv2d_backward_weight(DType dtype, const Conv2dShape& s, const void* x, const void* dy,
                              void* dw) override;
  void conv2d_backward_bias(DType dtype, const Conv2dShape& s, const void* dy, void* db) override;
  // pooling.cpp
  void max_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y,
                          void* argmax) override;
  void max_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy, const void* argmax,
                           void* dx) override;
  void avg_pool2d_forward(DType dtype, const Pool2dShape& s, const void* x, void* y) override;
  void avg_pool2d_backward(DType dtype, const Pool2dShape& s, const void* dy, void* dx) override;
  // normalization.cpp
  void lrn_across_forward(DType dtype, const LrnShape& s, const void* x, void* y) override;
  void lrn_across_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                           void* dx) override;
  void lrn_within_forward(DType dtype, const LrnShape& s, const void* x, void* y) override;
  void lrn_within_backward(DType dtype, const LrnShape& s, const void* x, const void* dy,
                           void* dx) override;
  // elementwise.cpp
  void unary(DType dtype, UnaryOp op, std::int64_t n, const void* x, void* y) override;
  void unary_backward(DType dtype, UnaryOp op, std::int64_t n, const void* x, const void* y,
                      const void* dy, void* dx) override;
  void binary(DType dtype, BinaryOp op, const BroadcastShape& s, const void* a, const void* b,
              void* y) override;
  void select_backward(DType dtype, BinaryOp op, const BroadcastShape& s, bool second,
                       const void* a, const void* b, const void* dy, void* dx) override;
  void affine(DType dtype, std::int64_t n, double scale, double shift, const void* x,
              void* y) override;
  void accumulate(DType dtype, std::int64_t n, const void* x, void* y) override;
  void fill(DType dtype, std::int64_t n, double value, void* y) override;
  // vector.cpp
  void copy_block(DType dtype, const BlockShape& s, const void* src, void* dst) override;
  void dropout(DType dtype, std::int64_t n, double p, PhiloxKey key, const void* x,
               void* y) override;
  // rows.cpp
  void reduce(DType dtype, ReduceOp op, std::int64_t outer, std::int64_t len, std::int64_t inner,
              const void* x, void* y) override;
  void softmax_forward(DType dtype, std::int64_t rows, std::int64_t cols, const void* x,
                       void* y) override;
  void softmax_backward(DType dtype, std::int64_t rows, std::int64_t cols, const void* y,
                        const void* dy, void* dx) override;
  void cross_entropy_forward(DType dtype, std::int64_t rows, std::int64_t cols, const void* x,
                             const void* labels, void* probability, void* loss) override;
  void cross_entropy_backward(DType dtype, std::int64_t rows, std::int64_t cols,
                              const void* probability, const void* labels, const void* dloss,
                              void* dx) override;
  // vector.cpp
  void sgd_step(DType dtype, const SgdShape& s, void* w, const void* g, void* v) override;

 private:
  // All primitives pass through here: the trace, the check of dtype, and errors in words.
  template <class S, class F>
  void run(DType dtype, const char* primitive, const S& shape, F body);

  void start(const opencl::Tuning* tuning);

  std::string name_, description_;
  std::unique_ptr<opencl::Runtime> runtime_;
};

}  // namespace limulus
