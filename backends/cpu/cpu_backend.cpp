// The CPU backend's instruction set, threads and memory.
#include "backends/cpu/cpu_backend.h"

#if !defined(__aarch64__)
#include <cpuid.h>
#endif
#include <unistd.h>

#include <cstring>
#include <utility>

#include "backends/cpu/default_threads.h"
#include "backends/cpu/kernels/kernels.h"
#include "core/buffer_pool.h"
#include "core/environment.h"
#include "core/error.h"

namespace limulus {

// ---- instruction set ---------------------------------------------------------------------------

// The flags are those that the kernels are compiled with (CMakeLists.txt). The compiler's function
// also asks whether the operating system saves the wide registers.
bool cpu_supports(const std::string& instruction_set) {
#if defined(__aarch64__)
  return instruction_set == "neon";
#else
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (instruction_set == "avx2") return avx2;
  if (instruction_set == "avx512") {
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
  return false;
#endif
}

const std::vector<std::string>& cpu_instruction_sets() {
#if defined(__aarch64__)
  static const std::vector<std::string> all = {"neon"};
#else
  static const std::vector<std::string> all = {"avx512", "avx2"};
#endif
  return all;
}

std::string cpu_instruction_set() {
  std::string wanted = environment::value("LIMULUS_ISA");
  if (!wanted.empty() && !cpu_supports(wanted)) {
    throw DeviceError("cpu: LIMULUS_ISA asks for " + wanted +
                      ", which this processor does not have; unset it, or use the device "
                      "\"reference\"");
  }
  if (!wanted.empty()) return wanted;
  for (const std::string& instruction_set : cpu_instruction_sets())
    if (cpu_supports(instruction_set)) return instruction_set;
  return "";
}

namespace {

#if defined(__aarch64__)
std::string processor() { return "ARM processor"; }
#else
// The processor's name as it reports it: three cpuid leaves of 16 characters.
std::string processor() {
  unsigned words[12] = {};
  for (unsigned i = 0; i < 3; ++i) {
    unsigned* w = words + 4 * i;
    if (!__get_cpuid(0x80000002 + i, w, w + 1, w + 2, w + 3)) return "x86-64 processor";
  }
  char text[sizeof(words) + 1] = {};
  std::memcpy(text, words, sizeof(words));
  const std::string name = text;
  const auto first = name.find_first_not_of(' '), last = name.find_last_not_of(' ');
  return first == std::string::npos ? "x86-64 processor" : name.substr(first, last - first + 1);
}
#endif

}  // namespace

// ---- threads -----------------------------------------------------------------------------------

int cpu_default_threads() { return default_threads().threads; }

void CpuBackend::set_threads(int threads) {
  if (threads < 0) {
    throw ValueError("cpu: " + std::to_string(threads) +
                     " threads; give 1 or more, or 0 for all of them");
  }
  const ThreadCount count = threads == 0 ? default_threads() : ThreadCount{threads, ""};
  context_->threads = count.threads;
  threads_limit_ = count.limit;
}

int CpuBackend::threads() const { return context_->threads; }

// ---- the backend -------------------------------------------------------------------------------

namespace {

std::size_t machine_memory() {
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) *
         static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES));
}

// A sanitizer guards the gaps between blocks of malloc, not those between blocks of an arena. And
// qemu keeps a record of every page of an arena's range (cmake/aarch64.cmake).
#if defined(__SANITIZE_ADDRESS__) || defined(LIMULUS_NO_ARENA)
constexpr bool use_arena = false;
#else
constexpr bool use_arena = true;
#endif

}  // namespace

CpuBackend::CpuBackend(int threads, std::string name, std::string instruction_set)
    : name_(std::move(name)),
      instruction_set_(instruction_set.empty() ? cpu_instruction_set()
                                               : std::move(instruction_set)),
      arena_(use_arena ? machine_memory() : 0),
      context_(std::make_unique<cpu::Context>()) {
  if (!cpu_supports(instruction_set_)) {
    throw DeviceError(name_ + ": the processor has no " +
                      (instruction_set_.empty() ? "AVX2" : instruction_set_) +
                      "; use the device \"reference\"");
  }
  f32_ = &LIMULUS_OF_ISA(instruction_set_, kernels<float>());
  f64_ = &LIMULUS_OF_ISA(instruction_set_, kernels<double>());
  context_->pool = &pool();
  context_->team = &team_;
  set_threads(threads);
}

CpuBackend::~CpuBackend() { pool().trim(); }

std::string CpuBackend::description() const {
  return processor() + ", " + instruction_set_ + ", " + std::to_string(threads()) +
         (threads() == 1 ? " thread" : " threads") +
         (threads_limit_.empty() ? "" : " (" + threads_limit_ + ")");
}

// ---- memory ------------------------------------------------------------------------------------

bool CpuBackend::reuses(std::size_t bytes) const {
  return use_arena && bytes >= cpu::Arena::smallest;
}

void* CpuBackend::allocate(std::size_t bytes) {
  constexpr std::size_t line = 64;
  if (reuses(bytes))
    if (void* buffer = arena_.take(bytes)) return buffer;
  const std::size_t rounded = (bytes / line + (bytes % line != 0)) * line;
  void* buffer = nullptr;
  if (rounded >= bytes) buffer = std::aligned_alloc(line, rounded == 0 ? line : rounded);
  if (buffer == nullptr) {
    const auto mebibytes = [](std::size_t b) { return std::to_string(b >> 20); };
    throw DeviceError(name_ + ": no memory for " + std::to_string(bytes) + " bytes (" +
                      mebibytes(bytes) + " MiB); the machine has " + mebibytes(machine_memory()) +
                      " MiB, and this backend holds " + mebibytes(pool().stats().held_bytes) +
                      " MiB; a smaller batch needs less, and so do fewer classes");
  }
  return buffer;
}

void CpuBackend::deallocate(void* buffer, std::size_t bytes) noexcept {
  if (arena_.owns(buffer))
    arena_.give(buffer, bytes);
  else
    std::free(buffer);
}

void CpuBackend::upload(void* dst, const void* host, std::size_t bytes) {
  if (bytes != 0) std::memcpy(dst, host, bytes);  // either may be null when there is nothing
}

void CpuBackend::download(void* host, const void* src, std::size_t bytes) {
  if (bytes != 0) std::memcpy(host, src, bytes);
}

// ---- workspaces and threads of kernels ---------------------------------------------------------

namespace cpu {

void* scratch_take(const Context& ctx, std::size_t bytes) {
  return static_cast<Pool*>(ctx.pool)->take(bytes);
}
void scratch_give(const Context& ctx, void* data, std::size_t bytes) noexcept {
  static_cast<Pool*>(ctx.pool)->give(data, bytes);
}

void share_tasks(const Context& ctx, std::int64_t tasks, int threads, Task run, const void* body) {
  ctx.team->share(tasks, threads, run, body);
}

}  // namespace cpu
}  // namespace limulus
