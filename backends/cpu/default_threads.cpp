#include "backends/cpu/default_threads.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string_view>
#include <vector>

#include "core/environment.h"

namespace limulus {
namespace {

constexpr int most = environment::most_threads;

std::string_view without_spaces(std::string_view text) {
  const auto first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
  return first == std::string_view::npos ? "" : text.substr(first, last - first + 1);
}

// Processors that this thread may run on. The kernel refuses a mask that is too short for it.
int processors_in_mask() {
  for (int processors = 1024; processors <= 1 << 20; processors *= 2) {
    cpu_set_t* mask = CPU_ALLOC(processors);
    if (mask == nullptr) return most;
    const std::size_t bytes = CPU_ALLOC_SIZE(processors);
    const bool known = sched_getaffinity(0, bytes, mask) == 0;
    const bool too_short = !known && errno == EINVAL;
    const int count = known ? CPU_COUNT_S(bytes, mask) : most;
    CPU_FREE(mask);
    if (!too_short) return count;
  }
  return most;
}

// The first numbers of a small file; a word that is no number ("max") ends them.
std::vector<double> numbers_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<double> numbers;
  for (double number; file >> number;) numbers.push_back(number);
  return numbers;
}

double processors_of(double quota, double period) {
  return quota > 0 && period > 0 ? quota / period : std::numeric_limits<double>::infinity();
}

// What a group's own files allow: version 2 has "quota period" in one file, version 1 has two
// files.
double quota_of(const std::filesystem::path& group) {
  const std::vector<double> both = numbers_of(group / "cpu.max");
  if (both.size() == 2) return processors_of(both[0], both[1]);
  const std::vector<double> quota = numbers_of(group / "cpu.cfs_quota_us");
  const std::vector<double> period = numbers_of(group / "cpu.cfs_period_us");
  return quota.size() == 1 && period.size() == 1 ? processors_of(quota[0], period[0])
                                                 : std::numeric_limits<double>::infinity();
}

// The least that the group `path` below `root` and those around it allow. In a container, whose
// root is its own group, `path` may name what cannot be seen from inside: such groups have no files
// here.
double quota_along(const std::filesystem::path& root, const std::filesystem::path& path) {
  double least = quota_of(root);
  std::filesystem::path group = root;
  for (const std::filesystem::path& part : path.relative_path()) {
    if (part == "..") return least;
    group /= part;
    least = std::min(least, quota_of(group));
  }
  return least;
}

// A line for each hierarchy: "4:cpu,cpuacct:/path" of version 1, "0::/path" of version 2.
double cgroup_quota(const ThreadSources& sources) {
  double least = std::numeric_limits<double>::infinity();
  std::ifstream file(sources.own_cgroup);
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::filesystem::path path = line.substr(second + 1);
    std::istringstream names(controllers);
    bool cpu = controllers.empty();
    for (std::string name; std::getline(names, name, ',');) cpu |= name == "cpu";
    if (!cpu) continue;
    for (const char* mount : {"", "cpu", "cpu,cpuacct", "unified"})
      least = std::min(least, quota_along(sources.cgroups / mount, path));
  }
  return least;
}

}  // namespace

ThreadSources system_thread_sources() {
  ThreadSources sources;
  sources.variable = environment::of_others;
  sources.machine = static_cast<int>(std::clamp<long>(sysconf(_SC_NPROCESSORS_ONLN), 1, most));
  sources.allowed = processors_in_mask();
  return sources;
}

ThreadCount default_threads(const ThreadSources& sources) {
  const auto variable = [&](const char* name) {
    return sources.variable ? sources.variable(name) : std::string();
  };
  const std::string wanted = environment::checked("LIMULUS_THREADS", variable("LIMULUS_THREADS"));
  if (const int threads = environment::number(wanted, most); threads != 0)
    return {threads, threads == sources.machine ? "" : "LIMULUS_THREADS"};
  const std::string openmp = variable("OMP_NUM_THREADS");
  const std::string_view first = std::string_view(openmp).substr(0, openmp.find(','));
  if (const int threads = environment::number(without_spaces(first), most); threads != 0)
    return {threads, threads == sources.machine ? "" : "OMP_NUM_THREADS"};

  ThreadCount count{std::clamp(sources.machine, 1, most), ""};
  if (sources.allowed < count.threads) count = {std::max(1, sources.allowed), "affinity mask"};
  const double quota = std::ceil(cgroup_quota(sources));
  if (quota < count.threads) count = {std::max(1, static_cast<int>(quota)), "CPU quota"};
  return count;
}

}  // namespace limulus
