// A backend behind a queue: the same results, in order, without waiting for them.
#include "backends/queued.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/registry.h"
#include "core/buffer_pool.h"
#include "core/error.h"
#include "core/trace.h"
#include "gradcheck/cases/host_backend.h"
#include "gradcheck/cases/op_cases.h"
#include "temporary_folder.h"

using namespace limulus;

namespace {

std::vector<double> numbers(const OpCase& c, Backend& backend) {
  std::vector<double> all;
  for (const Tensor& t : run_case(c, DType::f32, backend).values)
    for (const double v : t.to_doubles()) all.push_back(v);
  return all;
}

// In host memory; fill() waits until it is let go, and fails if that is asked for.
struct SlowBackend : HostBackend {
  std::atomic<bool>& go;
  bool fails;
  SlowBackend(std::atomic<bool>& let_go, bool failing)
      : HostBackend("slow"), go(let_go), fails(failing) {}
  void fill(DType, std::int64_t, double value, void* y) override {
    while (!go) std::this_thread::yield();
    if (fails) throw DeviceError("slow: fill: lost");
    *static_cast<double*>(y) = value;
  }
  void accumulate(DType, std::int64_t, const void* x, void* y) override {
    *static_cast<double*>(y) += *static_cast<const double*>(x);
  }
};

}  // namespace

TEST_CASE("queue: the same bits as without, over the whole table") {
  CpuBackend plain(1);
  QueuedBackend queued(std::make_unique<CpuBackend>(1, "cpu:0/2"));
  for (const OpCase& c : op_cases()) CHECK_MESSAGE(numbers(c, queued) == numbers(c, plain), c.name);
}

TEST_CASE("queue: the caller goes on, and what was uploaded may change at once") {
  std::atomic<bool> go = false;
  QueuedBackend queued(std::make_unique<SlowBackend>(go, false));
  const Workspace a(queued.pool(), 8), b(queued.pool(), 8);
  queued.fill(DType::f64, 1, 1, a.data());
  double three = 3, result = 0;
  queued.upload(b.data(), &three, 8);
  three = 4;
  queued.accumulate(DType::f64, 1, b.data(), a.data());
  go = true;  // had anything waited, this line would not be reached
  queued.download(&result, a.data(), 8);
  CHECK(result == 4);  // 1 + 3
}

TEST_CASE("queue: an error comes with the next wait, and what follows it is dropped") {
  std::atomic<bool> go = true;
  QueuedBackend queued(std::make_unique<SlowBackend>(go, true));
  const Workspace a(queued.pool(), 8);
  const double one = 1;
  double result = 0;
  queued.upload(a.data(), &one, 8);
  queued.fill(DType::f64, 1, 2, a.data());
  queued.accumulate(DType::f64, 1, a.data(), a.data());
  CHECK(message_of<DeviceError>([&] { queued.synchronize(); }) == "slow: fill: lost");
  queued.download(&result, a.data(), 8);
  CHECK(result == 1);
}

TEST_CASE("queue: a trace has the caller's layer") {
  QueuedBackend queued(std::make_unique<CpuBackend>(1, "cpu:0/2"));
  std::vector<TraceEvent> events;
  const Workspace a(queued.pool(), 8);
  set_trace_sink([&](const TraceEvent& event) { events.push_back(event); });
  {
    const TraceScope scope("conv1");
    queued.fill(DType::f64, 1, 2, a.data());
  }
  set_trace_sink({});
  REQUIRE(events.size() == 1);
  CHECK(events[0].scope == "conv1");
  CHECK(events[0].backend == "cpu:0/2");
}

TEST_CASE("queue: too much memory is refused with the sizes") {
  CHECK(has(message_of<DeviceError>([&] { device("cpu:0/2").allocate(std::size_t{1} << 60); }),
            "cpu:0/2: no memory for 1152921504606846976 bytes"));
  CHECK_THROWS_AS(device("cpu:0/2").allocate(SIZE_MAX), DeviceError);
}
