#pragma once
#include "judge.h"

namespace course {

using Calls = std::vector<Record>;

// A class of cases: how many calls, and whether Oclgrind interprets them.
struct Where {
  int calls = 5;
  bool oclgrind = false;
};
constexpr Where kOnDevice{}, kInOclgrind{.calls = 2, .oclgrind = true};

// Values that a float holds exactly.
inline Doubles as_floats(Doubles values) {
  for (double& v : values) v = static_cast<double>(static_cast<float>(v));
  return values;
}
inline Doubles floats(Rng& rng, std::int64_t count) { return as_floats(normal(rng, count)); }

// A record that calls `function`; groups of `group` items.
inline Record begin_call(const std::string& function, const std::string& sizes, const Integers& v,
                         const Integers& group, const Where& where) {
  Record r;
  r.put("call", function);
  r.put("what", function + ": " + sizes + ", groups of " + std::to_string(group[0]) + " x " +
                    std::to_string(group[1]) + " x " + std::to_string(group[2]));
  r.put("shape", v);
  r.put("group", group);
  if (where.oclgrind) r.put("oclgrind", 1);
  return r;
}

// Groups that seldom divide what there is to do.
inline Integers some_group(Rng& rng) {
  static const std::vector<Integers> groups = {
      {4, 2, 1}, {8, 1, 2}, {3, 5, 1}, {16, 4, 1}, {5, 3, 2}};
  return groups[rng.below(groups.size())];
}

// Where the arrays stood: results of a call have one of these behind their names.
inline std::vector<std::string> places(const Record& in) {
  if (in.has("oclgrind")) return {" end"};
  return {" end", " begin"};
}

void add_convolutions(std::vector<Case>& all);
void add_pools(std::vector<Case>& all);
void add_lrns(std::vector<Case>& all);

}  // namespace course
