// A backend with no kernel of its own works: each primitive falls back to the reference, through
// the host where its buffers are not host memory. Strict mode refuses, and a trace shows it.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "core/buffer_pool.h"
#include "core/error.h"
#include "core/trace.h"
#include "gradcheck/cases/host_backend.h"
#include "reference_check.h"

using namespace limulus;

namespace {

// A device whose memory the host cannot read: what it calls an address is that of a Memory, and a
// transfer of more than the array's bytes is noticed.
class DistantBackend final : public Backend {
 public:
  explicit DistantBackend(bool host = false) : host_(host) {}
  ~DistantBackend() override { pool().trim(); }
  std::string name() const override { return "distant"; }
  std::string description() const override { return "for tests"; }
  void* allocate(std::size_t bytes) override { return std::malloc(bytes); }
  void deallocate(void* buffer, std::size_t) noexcept override { std::free(buffer); }
  bool host_memory() const override { return host_; }
  void upload(void* dst, const void* host, std::size_t bytes) override {
    Memory* memory = static_cast<Memory*>(dst);
    REQUIRE(bytes <= memory->bytes.size());
    std::memcpy(memory->bytes.data(), host, bytes);
    uploaded += bytes;
  }
  void download(void* host, const void* src, std::size_t bytes) override {
    const Memory* memory = static_cast<const Memory*>(src);
    REQUIRE(bytes <= memory->bytes.size());
    std::memcpy(host, memory->bytes.data(), bytes);
    downloaded += bytes;
  }

  struct Memory {  // an address of this device: opaque to everybody else
    std::vector<char> bytes;
  };
  std::size_t uploaded = 0, downloaded = 0;

 private:
  bool host_;
};

// An array for a primitive: the same contents on the host and on a distant device.
struct Array {
  std::vector<double> host;
  DistantBackend::Memory distant;

  Array(std::initializer_list<double> values) : Array(std::vector<double>(values)) {}
  explicit Array(std::vector<double> values) : host(std::move(values)) {
    distant.bytes.resize(host.size() * sizeof(double));
    if (!host.empty()) std::memcpy(distant.bytes.data(), host.data(), distant.bytes.size());
  }
  void check_same() const {
    if (host.empty()) return;
    CHECK(std::memcmp(host.data(), distant.bytes.data(), distant.bytes.size()) == 0);
  }
};

// Some numbers that differ from each other.
Array numbers(std::int64_t n, double first = 0.25) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < n; ++i) values.push_back(first + 0.5 * static_cast<double>(i % 7));
  return Array(values);
}

struct UseReference {
  UseReference() { set_fallback_backend(&reference()); }
  ~UseReference() {
    set_strict(false);
    set_trace_sink({});
  }
};

// Runs a primitive on the host by the reference, and on the device; all arrays must agree after it.
void compare(const std::vector<Array*>& arrays,
             const std::function<void(Backend&, const std::vector<void*>&)>& primitive) {
  const UseReference scope;
  DistantBackend distant;
  std::vector<void*> there, here;
  for (Array* array : arrays) {
    there.push_back(array == nullptr ? nullptr : &array->distant);
    here.push_back(array == nullptr ? nullptr : array->host.data());
  }
  primitive(distant, there);
  primitive(reference(), here);
  for (const Array* array : arrays) {
    if (array != nullptr) array->check_same();
  }
}

constexpr DType f64 = DType::f64;
using Buffers = std::vector<void*>;

}  // namespace

TEST_CASE("fallback: gemm, with gaps between rows and with beta = 1") {
  for (const int beta : {0, 1})
    for (const int ldc : {2, 3}) {
      Array a = numbers(6), b = numbers(6), c = numbers(2 * ldc, 5);
      const GemmShape s = {
          .m = 2, .n = 2, .k = 3, .trans_b = true, .lda = 3, .ldb = 3, .ldc = ldc, .beta = beta};
      compare({&a, &b, &c},
              [&](Backend& d, const Buffers& v) { d.gemm(f64, s, v[0], v[1], v[2]); });
    }
}

TEST_CASE("fallback: convolution, a null bias stays null") {
  const Conv2dShape s = {
      .n = 2,
      .c = 2,
      .k = 4,
      .groups = 2,
      .window = make_window(4, 3, {.kernel = 2, .pad = 1}, "test")};  // y is 5 x 4
  Array x = numbers(2 * 2 * 12), w = numbers(4 * 4), b = numbers(4), y = numbers(2 * 4 * 20);
  compare({&x, &w, &b, &y},
          [&](Backend& d, const Buffers& v) { d.conv2d_forward(f64, s, v[0], v[1], v[2], v[3]); });
  compare({&x, &w, nullptr, &y},
          [&](Backend& d, const Buffers& v) { d.conv2d_forward(f64, s, v[0], v[1], v[2], v[3]); });
  compare({&y, &w, &x},
          [&](Backend& d, const Buffers& v) { d.conv2d_backward_input(f64, s, v[0], v[1], v[2]); });
  compare({&x, &y, &w}, [&](Backend& d, const Buffers& v) {
    d.conv2d_backward_weight(f64, s, v[0], v[1], v[2]);
  });
  compare({&y, &b},
          [&](Backend& d, const Buffers& v) { d.conv2d_backward_bias(f64, s, v[0], v[1]); });
}

TEST_CASE("fallback: pooling and normalization") {
  const Pool2dShape s = {
      .n = 2, .c = 3, .window = make_window(5, 5, {.kernel = 3, .stride = 2}, "test")};
  Array x = numbers(150), y = numbers(24), argmax = numbers(12);  // 24 of i32
  compare({&x, &y, &argmax},
          [&](Backend& d, const Buffers& v) { d.max_pool2d_forward(f64, s, v[0], v[1], v[2]); });
  compare({&y, &argmax, &x},
          [&](Backend& d, const Buffers& v) { d.max_pool2d_backward(f64, s, v[0], v[1], v[2]); });
  compare({&x, &y},
          [&](Backend& d, const Buffers& v) { d.avg_pool2d_forward(f64, s, v[0], v[1]); });
  compare({&y, &x},
          [&](Backend& d, const Buffers& v) { d.avg_pool2d_backward(f64, s, v[0], v[1]); });

  const LrnShape r = {.n = 2, .c = 3, .h = 5, .w = 5, .size = 2, .alpha = 1};
  Array u = numbers(150), dy = numbers(150, 3), out = numbers(150);
  compare({&u, &out},
          [&](Backend& d, const Buffers& v) { d.lrn_across_forward(f64, r, v[0], v[1]); });
  compare({&u, &out},
          [&](Backend& d, const Buffers& v) { d.lrn_within_forward(f64, r, v[0], v[1]); });
  compare({&u, &dy, &out},
          [&](Backend& d, const Buffers& v) { d.lrn_across_backward(f64, r, v[0], v[1], v[2]); });
  compare({&u, &dy, &out},
          [&](Backend& d, const Buffers& v) { d.lrn_within_backward(f64, r, v[0], v[1], v[2]); });
}

TEST_CASE("fallback: elementwise operations") {
  Array x = numbers(6), y = numbers(6), dy = numbers(6, 2), dx = numbers(6);
  compare({&x, &y},
          [](Backend& d, const Buffers& v) { d.unary(f64, UnaryOp::exp, 6, v[0], v[1]); });
  compare({nullptr, &y, &dy, &dx}, [](Backend& d, const Buffers& v) {
    d.unary_backward(f64, UnaryOp::exp, 6, v[0], v[1], v[2], v[3]);
  });
  compare({&x}, [](Backend& d, const Buffers& v) {  // in place
    d.unary(f64, UnaryOp::neg, 6, v[0], v[0]);
  });
  const BroadcastShape s = {.rank = 2, .size = {2, 3}, .stride_a = {3, 1}, .stride_b = {1, 0}};
  Array b = numbers(2);
  compare({&x, &b, &y},
          [&](Backend& d, const Buffers& v) { d.binary(f64, BinaryOp::mul, s, v[0], v[1], v[2]); });
  compare({&x, &b, &dy, &dx}, [&](Backend& d, const Buffers& v) {
    d.select_backward(f64, BinaryOp::max, s, true, v[0], v[1], v[2], v[3]);
  });
  compare({&x, &y}, [](Backend& d, const Buffers& v) { d.affine(f64, 6, 2, 1, v[0], v[1]); });
  compare({&x, &y}, [](Backend& d, const Buffers& v) { d.accumulate(f64, 6, v[0], v[1]); });
  compare({&y}, [](Backend& d, const Buffers& v) { d.fill(f64, 5, 3, v[0]); });
  compare({&x, &y}, [](Backend& d, const Buffers& v) {
    d.dropout(f64, 6, 0.5, {1, 2}, v[0], v[1]);
  });
}

TEST_CASE("fallback: copy_block keeps what stands between the rows") {
  Array src = numbers(6), dst = numbers(9, 100);
  const BlockShape s = {
      .rows = 2, .cols = 2, .src_offset = 1, .src_stride = 3, .dst_offset = 2, .dst_stride = 4};
  compare({&src, &dst}, [&](Backend& d, const Buffers& v) { d.copy_block(f64, s, v[0], v[1]); });
  CHECK(dst.host[0] == 100);
}

TEST_CASE("fallback: reductions, softmax and learning") {
  Array x = numbers(12), y = numbers(4), p = numbers(12), dx = numbers(12), loss = numbers(4);
  Array labels = numbers(4);
  const std::vector<std::int64_t> label = {2, 0, 1, 2};
  std::memcpy(labels.host.data(), label.data(), 32);
  std::memcpy(labels.distant.bytes.data(), label.data(), 32);
  compare({&x, &y},
          [](Backend& d, const Buffers& v) { d.reduce(f64, ReduceOp::sum, 2, 3, 2, v[0], v[1]); });
  compare({&x, &p}, [](Backend& d, const Buffers& v) { d.softmax_forward(f64, 4, 3, v[0], v[1]); });
  compare({&p, &x, &dx},
          [](Backend& d, const Buffers& v) { d.softmax_backward(f64, 4, 3, v[0], v[1], v[2]); });
  compare({&x, &labels, &p, &loss}, [](Backend& d, const Buffers& v) {
    d.cross_entropy_forward(f64, 4, 3, v[0], v[1], v[2], v[3]);
  });
  compare({&p, &labels, &loss, &dx}, [](Backend& d, const Buffers& v) {
    d.cross_entropy_backward(f64, 4, 3, v[0], v[1], v[2], v[3]);
  });
  Array w = numbers(5), g = numbers(5, 1), velocity = numbers(5, 2);
  compare({&w, &g, &velocity},
          [](Backend& d, const Buffers& v) { d.sgd_step(f64, {.n = 5}, v[0], v[1], v[2]); });
}

TEST_CASE("fallback: only inputs are downloaded, only outputs uploaded") {
  const UseReference scope;
  DistantBackend distant;
  Array x = numbers(10), y = numbers(10);
  distant.affine(f64, 10, 2, 0, &x.distant, &y.distant);
  CHECK(distant.downloaded == 80);
  CHECK(distant.uploaded == 80);
  distant.accumulate(f64, 10, &x.distant, &y.distant);  // reads its output, too
  CHECK(distant.downloaded == 80 + 160);
  CHECK(distant.uploaded == 160);
}

TEST_CASE("fallback: a backend in host memory is served where its arrays are") {
  const UseReference scope;
  DistantBackend host(/*host=*/true);
  std::vector<float> x = {1, 2}, y(2);
  host.affine(DType::f32, 2, 3, 0, x.data(), y.data());
  CHECK(y == std::vector<float>{3, 6});
  CHECK(host.downloaded + host.uploaded == 0);
}

TEST_CASE("fallback: empty arrays") {
  const UseReference scope;
  DistantBackend distant;
  Array x = numbers(0), y = numbers(0);
  distant.affine(f64, 0, 3, 0, &x.distant, &y.distant);
  distant.copy_block(f64, {.rows = 0, .cols = 4, .src_offset = 9}, &x.distant, &y.distant);
  CHECK(distant.downloaded + distant.uploaded == 0);
}

TEST_CASE("strict mode: a fallback is an error that names primitive and backend") {
  const UseReference scope;
  DistantBackend host(/*host=*/true);
  double x = 1;
  set_strict(true);
  CHECK_THROWS_WITH_AS(host.fill(f64, 1, 2, &x),
                       "fill: backend distant has no such kernel, and strict mode forbids the "
                       "reference to run in its place: write the kernel, or unset LIMULUS_STRICT",
                       DeviceError);
  CHECK(x == 1);
  reference().fill(f64, 1, 2, &x);  // the reference has its own
  CHECK(x == 2);
  set_strict(false);
  host.fill(f64, 1, 3, &x);
  CHECK(x == 3);
}

TEST_CASE("without a reference backend, a fallback says what to do") {
  const UseReference scope;
  set_fallback_backend(nullptr);
  DistantBackend host(/*host=*/true);
  double x = 1;
  CHECK_THROWS_AS(host.fill(f64, 1, 2, &x), DeviceError);
}

TEST_CASE("a device that is lost while a trace waits is an error, and no end of the program") {
  struct LostBackend final : HostBackend {
    LostBackend() : HostBackend("lost") {}
    void synchronize() override { throw DeviceError("lost: the device is gone"); }
    void fill(DType, std::int64_t, double value, void* y) override {
      const Trace trace(*this, "fill", "none", [] { return std::string(); });
      if (y == nullptr) throw ValueError("fill: no array");
      *static_cast<double*>(y) = value;
    }
  };
  LostBackend backend;
  double y = 0;
  backend.fill(DType::f64, 1, 1, &y);  // nobody listens
  int events = 0;
  set_trace_sink([&](const TraceEvent&) { ++events; });
  CHECK_THROWS_WITH_AS(backend.fill(DType::f64, 1, 1, &y), "lost: the device is gone", DeviceError);
  CHECK_THROWS_WITH_AS(backend.fill(DType::f64, 1, 1, nullptr), "fill: no array", ValueError);
  set_trace_sink({});
  CHECK(events == 0);
}

TEST_CASE("a trace shows a fallback once, in the name of the backend that lacks the kernel") {
  const UseReference scope;
  ReferenceBackend silent("reference", /*traced=*/false);
  set_fallback_backend(&silent);
  std::vector<TraceEvent> events;
  set_trace_sink([&](const TraceEvent& event) { events.push_back(event); });
  DistantBackend distant(/*host=*/true);
  std::vector<double> x(6, 1), y(3);
  distant.reduce(f64, ReduceOp::sum, 3, 2, 1, x.data(), y.data());
  reference().reduce(f64, ReduceOp::sum, 3, 2, 1, x.data(), y.data());
  REQUIRE(events.size() == 2);
  CHECK(std::string(events[0].primitive) == "reduce");
  CHECK(events[0].backend == "distant");
  CHECK(std::string(events[0].kernel) == "reference");
  CHECK(events[0].shapes == "[3, 2, 1]");
  CHECK(events[0].fallback);
  CHECK(events[1].backend == "reference");
  CHECK_FALSE(events[1].fallback);
}
