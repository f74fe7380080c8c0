#include "tools/bench/probes/fma_peak.h"

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

#include "tools/bench/probes/fma_probe.h"
#include "tools/bench/timing.h"

namespace limulus {
namespace {

// Operations a second of `threads` threads together, for about `seconds`.
double run_probe(cpu::FmaProbe probe, int threads, std::int64_t rounds) {
  std::vector<double> operations(static_cast<std::size_t>(threads));
  std::vector<float> sinks(operations.size());
  std::vector<std::thread> team;
  const double start = now();
  for (std::size_t t = 0; t < operations.size(); ++t)
    team.emplace_back([&, t] { operations[t] = probe(rounds, &sinks[t]); });
  for (std::thread& t : team) t.join();
  const double time = now() - start;
  double all = 0;
  for (const double o : operations) all += o;
  return all / time;
}

}  // namespace

// The best of some runs of 20 ms or more, long enough for starting threads not to count. A limit is
// what is never exceeded, hence the best and not the median.
double fma_peak(const std::string& instruction_set, int threads, double seconds) {
  const cpu::FmaProbe probe = LIMULUS_OF_ISA(instruction_set, fma_probe);
  std::int64_t rounds = 1 << 16;
  float sink = 0;
  for (double start = now(); probe(rounds, &sink), now() - start < 0.02; start = now()) rounds *= 2;
  double best = 0;
  for (const double end = now() + seconds; now() < end;)
    best = std::max(best, run_probe(probe, threads, rounds));
  return best;
}

}  // namespace limulus
