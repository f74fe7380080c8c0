// How many threads there are by default, from files and variables that the test makes.
#include "backends/cpu/default_threads.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "backends/cpu/cpu_backend.h"
#include "core/error.h"
#include "temporary_folder.h"

using namespace limulus;

namespace {

struct Machine {
  TemporaryFolder folder;
  std::map<std::string, std::string> variables;
  int processors = 8, allowed = 8;

  void file(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((folder.path / path).parent_path());
    put_bytes(folder / path, text);
  }
  void set(const std::string& name, std::string value) {
    variables.insert_or_assign(name, std::move(value));
  }
  ThreadCount count() const {
    ThreadSources sources;
    sources.variable = [this](const char* name) {
      const auto found = variables.find(name);
      return found == variables.end() ? std::string() : found->second;
    };
    sources.machine = processors;
    sources.allowed = allowed;
    sources.own_cgroup = folder / "own";
    sources.cgroups = folder / "groups";
    return default_threads(sources);
  }
};

void check(const Machine& machine, int threads, const std::string& limit) {
  const ThreadCount count = machine.count();
  CHECK(count.threads == threads);
  CHECK(count.limit == limit);
}

}  // namespace

TEST_CASE("without limits: the machine's processors") {
  Machine m;
  check(m, 8, "");
  m.processors = 0;
  check(m, 1, "");
}

TEST_CASE("variables come first") {
  Machine m;
  m.allowed = 2;
  m.set("OMP_NUM_THREADS", "3");
  check(m, 3, "OMP_NUM_THREADS");
  m.set("LIMULUS_THREADS", "5");
  check(m, 5, "LIMULUS_THREADS");
  m.set("LIMULUS_THREADS", "8");  // as many as there are
  check(m, 8, "");
  for (const char* wrong : {"0", "-1", "1025", "two", "2x", "2 ", "1e3", "99999999999999999999"}) {
    m.set("LIMULUS_THREADS", wrong);
    CAPTURE(wrong);
    CHECK_THROWS_AS(m.count(), ValueError);
  }
  m.set("LIMULUS_THREADS", "");
  check(m, 3, "OMP_NUM_THREADS");
}

TEST_CASE("OMP_NUM_THREADS: its first number; what is none is passed over") {
  Machine m;
  for (const char* text : {"4", "4,2", " 4 ", "4,", "4 ,x"}) {
    m.set("OMP_NUM_THREADS", text);
    CAPTURE(text);
    check(m, 4, "OMP_NUM_THREADS");
  }
  for (const char* text : {"", "0", "-2", "many", ",4", "4x", "99999999999", "1025"}) {
    m.set("OMP_NUM_THREADS", text);
    CAPTURE(text);
    check(m, 8, "");
  }
}

TEST_CASE("the affinity mask") {
  Machine m;
  m.allowed = 3;
  check(m, 3, "affinity mask");
  m.allowed = 12;  // as inside of a container that shows fewer
  check(m, 8, "");
  m.allowed = 0;
  check(m, 1, "affinity mask");
}

TEST_CASE("the CPU quota of control groups, version 2: the least on the way, rounded up") {
  Machine m;
  m.file("own", "0::/user/job\n");
  check(m, 8, "");
  m.file("groups/user/job/cpu.max", "max 100000\n");
  check(m, 8, "");
  m.file("groups/user/job/cpu.max", "250000 100000\n");
  check(m, 3, "CPU quota");
  m.file("groups/user/cpu.max", "150000 100000\n");
  check(m, 2, "CPU quota");
  m.file("groups/cpu.max", "20000 100000\n");  // a container's own
  check(m, 1, "CPU quota");
  m.allowed = 1;  // the first that says so
  check(m, 1, "affinity mask");
}

TEST_CASE("the CPU quota of control groups, version 1") {
  Machine m;
  m.file("own", "7:memory:/else\n4:cpu,cpuacct:/job\n3:cpuset:/third\n");
  for (const char* mount : {"groups/cpu", "groups/cpu,cpuacct"}) {
    Machine each;
    each.file("own", "7:memory:/else\n4:cpu,cpuacct:/job\n3:cpuset:/third\n");
    const std::string folder = mount;
    each.file(folder + "/job/cpu.cfs_period_us", "50000\n");
    each.file(folder + "/job/cpu.cfs_quota_us", "-1\n");
    check(each, 8, "");
    each.file(folder + "/job/cpu.cfs_quota_us", "200000\n");
    check(each, 4, "CPU quota");
    each.file(folder + "/cpu.cfs_period_us", "100000\n");
    each.file(folder + "/cpu.cfs_quota_us", "100000\n");
    check(each, 1, "CPU quota");
  }
  m.file("groups/memory/else/cpu.cfs_quota_us", "1\n");  // no group of the processor's
  m.file("groups/cpuset/third/cpu.cfs_period_us", "1\n");
  check(m, 8, "");
}

TEST_CASE("files that make no sense limit nothing") {
  for (const char* text : {"", "max", "x y", "-1 100000", "100000 0", "0 0", "1 2 3", "nan nan"}) {
    Machine m;
    m.file("own", "0::/job\nnonsense\n:\n0::\n");
    m.file("groups/job/cpu.max", text);
    CAPTURE(text);
    check(m, 8, "");
  }
  Machine m;
  m.file("own", "0::/../../etc\n");
  check(m, 8, "");
}

TEST_CASE("this process: a mask of one processor is one thread, and the description says why") {
  const char* const variables[] = {"LIMULUS_THREADS", "OMP_NUM_THREADS"};
  for (const char* name : variables)
    if (std::getenv(name) != nullptr) {
      MESSAGE("skipped: ", name, " is set");
      return;
    }
  std::thread([] {  // whose mask is its own
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET(sched_getcpu(), &mask);
    REQUIRE(sched_setaffinity(0, sizeof(mask), &mask) == 0);
    CHECK(cpu_default_threads() == 1);
    const std::string text = CpuBackend().description();
    CHECK(text.find(", 1 thread") != std::string::npos);
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1) CHECK(text.ends_with("1 thread (affinity mask)"));
  })
      .join();
}
