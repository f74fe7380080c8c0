// A driver that computes wrong numbers is refused: the self-check on backends with such faults, and
// on a device whose kernel was made wrong.
#include <doctest/doctest.h>

#ifdef LIMULUS_OPENCL
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "backends/opencl/cache.h"
#include "backends/opencl/crash_verdict.h"
#include "backends/opencl/self_check.h"
#include "backends/reference/reference_backend.h"
#include "core/error.h"
#include "gradcheck/cases/host_backend.h"
#include "opencl_check.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

// A driver that ends every loop after 65,535 steps, as rusticl on llvmpipe did.
struct EndsLoops : HostBackend {
  enum class Where { channels, row, product } where;
  ReferenceBackend reference{"reference", /*traced=*/false};
  static constexpr std::int64_t most = 65'535;

  explicit EndsLoops(Where w) : HostBackend("faulty"), where(w) {}
  void lrn_across_forward(DType dtype, const LrnShape& s, const void* x, void* y) override {
    LrnShape part = s;
    if (where == Where::channels) part.c = 252;
    reference.lrn_across_forward(dtype, part, x, y);
  }
  void reduce(DType dtype, ReduceOp op, std::int64_t outer, std::int64_t len, std::int64_t inner,
              const void* x, void* y) override {
    if (where == Where::row) len = std::min(len, most);
    reference.reduce(dtype, op, outer, len, inner, x, y);
  }
  void gemm(DType dtype, const GemmShape& s, const void* a, const void* b, void* c) override {
    GemmShape part = s;
    if (where == Where::product) part.k = std::min(s.k, most);
    reference.gemm(dtype, part, a, b, c);
  }
};

std::string refusal() {
  return message_of<DeviceError>([] { OpenClBackend backend("opencl:0"); });
}

}  // namespace

TEST_CASE("the self-check names the first number that is wrong") {
  ReferenceBackend right("reference");
  CHECK(opencl::self_check(right) == "");
  EndsLoops channels(EndsLoops::Where::channels), row(EndsLoops::Where::row),
      product(EndsLoops::Where::product);
  CHECK(has(opencl::self_check(channels),
            "lrn_across_forward of x[1, 260, 8, 16]: y[0, 25"));  // what the end of 252 changes
  CHECK(has(opencl::self_check(row), "reduce, the sum of x[70001]: y[0] is "));
  CHECK(has(opencl::self_check(product), "gemm, a[3, 70001] by b[70001, 5]: y[0, 0] is "));
}

TEST_CASE("a device that fails is refused with the case, and its driver") {
  if (!have_device()) return;
  const TemporaryFolder folder;
  edit_kernels(folder / "wrong", "lrn.cl", "for (long c = 0; c < s.c; ++c)",
               "for (long c = 0; c < min(s.c, 252L); ++c)");
  const Environment wrong("LIMULUS_CL_DIR", (folder / "wrong").string());
  CHECK(refusal() == "");  // a kernel in the making is not the driver's fault ...
  {
    const Environment again("LIMULUS_CL_SELFCHECK", "1");  // ... unless one wants to know
    const std::string message = refusal();
    CHECK(has(message,
              "opencl:0: refused, as it failed the self-check: lrn_across_forward of x[1, 260, 8, "
              "16]: y[0, 252, 0, 0] is nan, expected "));
    CHECK(has(message, ". Its driver: "));
    CHECK(has(message, "LIMULUS_CL_SELFCHECK=0 uses this one anyway"));
    const OpenClDevice listed = opencl_devices(/*checked=*/true).devices[0];
    CHECK(listed.refused == message);
    CHECK_FALSE(listed.description.empty());
    CHECK(opencl_devices().devices[0].refused == "");  // not looked at
  }
  const Environment word("LIMULUS_CL_SELFCHECK", "yes");
  CHECK_THROWS_AS(OpenClBackend("opencl:0"), ValueError);
}

TEST_CASE("the result is kept for the next program") {
  if (!have_device()) return;
  const TemporaryFolder folder;
  const Environment cache("XDG_CACHE_HOME", folder.path.string());
  opencl::forget_self_checks();
  CHECK(refusal() == "");
  fs::path file;
  for (const auto& entry : fs::directory_iterator(folder / "limulus"))
    if (has(entry.path().string(), "selfcheck-")) file = entry.path();
  REQUIRE_FALSE(file.empty());
  const std::string whole = get_bytes(file);
  const fs::file_time_type written = fs::last_write_time(file);
  opencl::forget_self_checks();
  CHECK(refusal() == "");
  CHECK(fs::last_write_time(file) == written);

  // A driver that failed is not asked again, but by LIMULUS_CL_SELFCHECK=1.
  const std::string key =
      whole.substr(whole.find('\n') + 1, std::stoul(whole.substr(whole.find("key ") + 4)));
  CHECK(opencl::cache_write(file.filename().string(), key, "planted") == "");
  opencl::forget_self_checks();
  CHECK(has(refusal(), "failed the self-check: planted. "));
  {
    const Environment never("LIMULUS_CL_SELFCHECK", "0");
    CHECK(refusal() == "");
  }
  {
    const Environment again("LIMULUS_CL_SELFCHECK", "1");
    CHECK(refusal() == "");
  }
  CHECK(get_bytes(file) == whole);

  // What is damaged, or of another driver, counts for nothing.
  for (const std::string& bytes : {whole + "wrong", std::string(), whole.substr(0, 50)}) {
    put_bytes(file, bytes);
    opencl::forget_self_checks();
    CHECK(refusal() == "");
    CHECK(get_bytes(file) == whole);
  }
}
TEST_CASE("a driver that crashes is refused from the next start on; Ctrl-C says nothing of it") {
  for (const auto& [signal, kept] : {std::pair{SIGSEGV, true}, {SIGABRT, true}, {SIGINT, false}}) {
    const TemporaryFolder folder;
    const Environment cache("XDG_CACHE_HOME", folder.path.string());
    const fs::path printed = folder / "stderr";
    const pid_t child = fork();
    if (child == 0) {
      dup2(open(printed.c_str(), O_CREAT | O_WRONLY, 0600), STDERR_FILENO);
      std::signal(SIGINT, SIG_DFL);
      const opencl::CrashVerdict crash("selfcheck-x.txt", "key", "it crashed", "limulus: told\n");
      raise(signal);
      _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == signal);
    CHECK(opencl::cache_read("selfcheck-x.txt", "key").value_or("") == (kept ? "it crashed" : ""));
    CHECK(has(get_bytes(printed), "limulus: told\n") == kept);
  }
  struct sigaction before, after;
  sigaction(SIGSEGV, nullptr, &before);
  {
    const TemporaryFolder folder;
    const Environment cache("XDG_CACHE_HOME", folder.path.string());
    const opencl::CrashVerdict crash("selfcheck-x.txt", "key", "it crashed", "");
    sigaction(SIGSEGV, nullptr, &after);
    CHECK((after.sa_handler != before.sa_handler));
  }
  sigaction(SIGSEGV, nullptr, &after);
  CHECK((after.sa_handler == before.sa_handler));
}
#else
TEST_CASE("this build has no OpenCL backend") { MESSAGE("skipped: built without OpenCL"); }
#endif
