// judge list | make CASE SEED FILE | check CASE INPUTS RESULTS [BYTES] | layout CASE
// judge serve CASE SEED IN OUT MEMORY     the yardstick of a timed test (judge_serve.cpp)
// judge route INPUTS RESULTS FD ...       between ranks that share no memory (judge_route.cpp)
//
// `check` prints a verdict as JSON: {"ok": false, "kind": "wrong", "message": "..."}. Its kinds:
// ok; wrong; not written (the task is yet to be written); error (an exception); missing (no
// results: the program ended early); damaged (results that no runner writes).
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "judge.h"
#include "judge_route.h"
#include "judge_serve.h"

namespace {

using namespace course;

const Case& find(const std::string& name) {
  for (const Case& c : cases())
    if (c.name == name) return c;
  throw std::runtime_error("judge: there is no case '" + name + "'; `judge list` names all");
}

void make(const Case& c, std::uint64_t seed, const std::string& file) {
  if (c.make == nullptr) throw std::runtime_error("judge: '" + c.name + "' is a timed case");
  Rng rng(seed, limulus::stream_of(c.name));
  std::ofstream out(file, std::ios::binary);
  for (const Record& call : c.make(rng)) call.write(out);
  if (!out) throw std::runtime_error("judge: " + file + " could not be written");
}

int verdict(const std::string& kind, const std::string& message) {
  std::cout << "{\"ok\": " << (kind == "ok" ? "true" : "false") << ", \"kind\": " << quoted(kind)
            << ", \"message\": " << quoted(message) << "}\n";
  return 0;
}

// `counted`: how many bytes a kernel has read from global memory, where that was counted, or "".
int check(const Case& c, const std::string& inputs, const std::string& results,
          const std::string& counted) {
  std::ifstream in(inputs, std::ios::binary), out(results, std::ios::binary);
  if (!in || !out) throw std::runtime_error("judge: the files cannot be read");
  Record call, answer;
  for (int number = 1; call.read(in); ++number) {
    const std::string where = (call.has("what") ? call.text("what") : call.text("call")) +
                              ", call " + std::to_string(number) + " of this test\n";
    try {
      if (!answer.read(out)) return verdict("missing", where);
    } catch (const std::exception& e) {
      return verdict("damaged", where + e.what());
    }
    try {
      if (answer.has("not written")) return verdict("not written", answer.text("not written"));
      if (answer.has("error") && !call.has("may throw"))
        return verdict("error", where + answer.text("error"));
      if (answer.has("ended")) return verdict("missing", where + answer.text("ended"));
      if (answer.has("stuck")) return verdict("wrong", where + answer.text("stuck"));
      if (!counted.empty()) answer.put("bytes read", std::strtoll(counted.c_str(), nullptr, 10));
      c.check(call, answer);
    } catch (const Wrong& e) {
      return verdict("wrong", where + e.what());
    } catch (const std::exception& e) {
      return verdict("damaged", where + e.what());
    }
  }
  return verdict("ok", "");
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> a(argv + 1, argv + argc);
  try {
    if (a.size() == 1 && a[0] == "list") {
      for (const Case& c : cases()) std::cout << c.name << "\n";
      return 0;
    }
    if (a.size() == 4 && a[0] == "make")
      return make(find(a[1]), std::strtoull(a[2].c_str(), nullptr, 10), a[3]), 0;
    if ((a.size() == 4 || a.size() == 5) && a[0] == "check")
      return check(find(a[1]), a[2], a[3], a.size() == 5 ? a[4] : "");
    if (a.size() == 2 && a[0] == "layout") {
      std::cout << layout(find(a[1])) << "\n";
      return 0;
    }
    if (a.size() > 3 && a[0] == "route") {
      std::vector<int> channels;
      for (std::size_t i = 3; i < a.size(); ++i) channels.push_back(std::atoi(a[i].c_str()));
      return route(a[1], a[2], channels), 0;
    }
    if (a.size() == 6 && a[0] == "serve")
      return serve(find(a[1]), std::strtoull(a[2].c_str(), nullptr, 10), std::atoi(a[3].c_str()),
                   std::atoi(a[4].c_str()), std::atoi(a[5].c_str()));
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
  std::cerr << "judge list | make CASE SEED FILE | check CASE INPUTS RESULTS [BYTES] | "
               "layout CASE | serve CASE SEED IN OUT MEMORY | route INPUTS RESULTS FD ...\n";
  return 2;
}
