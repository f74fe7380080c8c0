// Who checks the checker? A bank of wrong gradients: each must be caught, in the right tensor, and
// most must be given their right name.
#include <doctest/doctest.h>

#include <cstdio>
#include <set>

#include "gradcheck/cases/mutations.h"
#include "temporary_folder.h"

using namespace limulus;

TEST_CASE("every mistake of the bank is caught, in the right tensor, and most by their names") {
  std::set<std::string> names;
  std::size_t diagnosed = 0;
  for (const Mutation& m : mutations()) {
    const GradcheckReport report = check_mutation(m);
    const MutationResult r = judge(m, report);
    CHECK_MESSAGE(r.caught, m.name << "\n" << report.text());
    CHECK_MESSAGE(r.tensor, m.name << "\n" << report.text());
    // A name that is not the mistake's sends the reader to the wrong place: none is better.
    CHECK_MESSAGE((r.diagnosed || r.mistake.empty()), m.name << "\n" << report.text());
    // What the bank says of each is exact, so that a diagnosis which was lost is noticed.
    CHECK_MESSAGE(r.mistake == m.mistake,
                  m.name << ": '" << r.mistake << "', not '" << m.mistake << "'");
    names.insert(m.name);
    diagnosed += r.diagnosed;
  }
  const std::size_t count = mutations().size();
  std::printf("%s", mutation_table().c_str());
  CHECK(names.size() == count);
  CHECK(count >= 40);
  CHECK(4 * diagnosed >= 3 * count);
}

TEST_CASE("the table in docs/gradcheck.md is this one, and explains every diagnosis") {
  const std::string page = get_bytes(std::string(LIMULUS_SOURCE_DIR) + "/docs/gradcheck.md");
  CHECK_MESSAGE(has(page, "<!-- bank: begin -->\n" + mutation_table() + "<!-- bank: end -->"),
                "replace the table by what `limulus gradcheck --mutations` prints");
  for (const Mutation& m : mutations()) {
    const bool explained = has(page, "| " + m.mistake + " |") ||
                           has(page, "| " + m.mistake + ",") || has(page, ", " + m.mistake + " |");
    CHECK_MESSAGE((m.mistake.empty() || explained), m.mistake);
  }
}

TEST_CASE("the layers of the bank are right without their mistake") {
  for (Mutation m : mutations()) {
    if (m.name.find("pool") == std::string::npos && m.name.find("conv2d") == std::string::npos &&
        m.name.find("lrn") == std::string::npos && m.name.find("linear") == std::string::npos)
      continue;  // the others carry their mistake inside of the layer
    m.primitives = {};
    const GradcheckReport report = check_mutation(m);
    CHECK_MESSAGE(report.ok(), m.name << "\n" << report.text());
  }
}
