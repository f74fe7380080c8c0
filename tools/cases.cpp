#include "tools/cases.h"

#include <fmt/core.h>

#include <set>

#include "core/error.h"
#include "core/names.h"
#include "gradcheck/cases/random_cases.h"

namespace limulus::tools {

std::vector<OpCase> choose_cases(const char* command, const CaseChoice& choice) {
  std::vector<OpCase> all = op_cases(), chosen;
  std::set<std::string> names;
  if (choice.random > 0) {
    all.clear();
    for (std::int64_t i = 0; i < choice.random; ++i) all.push_back(random_case(choice.seed, i).c);
  }
  for (OpCase& c : all) {
    if (c.large && !choice.large) continue;
    names.insert(c.op);
    if (choice.layer.empty() || c.op == choice.layer) chosen.push_back(std::move(c));
  }
  if (chosen.empty())
    throw ValueError(fmt::format("{}: there is no layer or operation '{}'{}", command, choice.layer,
                                 known_names(choice.layer, {names.begin(), names.end()})));
  return chosen;
}

}  // namespace limulus::tools
