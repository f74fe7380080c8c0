#pragma once
// How many threads a program may use, and who says so.
#include <filesystem>
#include <functional>
#include <string>

namespace limulus {

struct ThreadCount {
  int threads = 1;
  std::string limit;  // what made it fewer, or other, than the machine's: "affinity mask"; or ""
};

// Where it is asked; a test has files and numbers of its own.
struct ThreadSources {
  std::function<std::string(const char*)> variable;  // of the environment; "" is not set
  int machine = 1;                                   // processors that the machine has
  int allowed = 1;                                   // by the process's affinity mask
  std::filesystem::path own_cgroup = "/proc/self/cgroup";
  std::filesystem::path cgroups = "/sys/fs/cgroup";
};
ThreadSources system_thread_sources();

// LIMULUS_THREADS; or else OMP_NUM_THREADS, of which the first number counts ("4,2") and what is no
// number from 1 to 1024 is passed over, as OpenMP does; or else the least of the machine's
// processors, those of the affinity mask (taskset), and the CPU quota of the control group (what a
// container may use), rounded up. At least 1. ValueError when LIMULUS_THREADS is no number from 1
// to 1024.
ThreadCount default_threads(const ThreadSources& sources = system_thread_sources());

}  // namespace limulus
