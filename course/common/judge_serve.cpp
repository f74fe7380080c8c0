// The yardstick: makes fresh inputs, computes with the library, and checks what came of them.
//
// It obeys letters, and answers each with a line:
//
//     m   new inputs are in the shared memory                "done"
//     g   the library's result is in the output              "done"
//     c   the submission's result, which the caller has put behind the output, is compared with
//         the library's                                      "right", or JSON text: what is wrong
//     p   operations a second that no program exceeds        a number
//
// The memory holds the inputs, the output, and as much again as the output; each array begins a
// page (shared_arrays.h).
#include "judge_serve.h"

#include <unistd.h>

#include <algorithm>

#include "shared_arrays.h"

namespace course {
namespace {

std::string compared(const Speed& s, const float* expected, const float* got) {
  try {
    s.check({expected, expected + s.output}, {got, got + s.output});
    return "right";
  } catch (const Wrong& wrong) {
    return quoted(wrong.what());
  }
}

}  // namespace

std::string layout(const Case& c) {
  if (c.speed == nullptr) throw std::runtime_error("judge: '" + c.name + "' is not timed");
  const Speed& s = *c.speed;
  return "{\"call\": " + quoted(s.call) + ", \"sizes\": " + written(s.sizes) +
         ", \"inputs\": " + written(s.inputs) + ", \"output\": " + std::to_string(s.output) +
         ", \"operations\": " + std::to_string(s.operations) + "}";
}

int serve(const Case& c, std::uint64_t seed, int in, int out, int memory) {
  if (c.speed == nullptr) throw std::runtime_error("judge: '" + c.name + "' is not timed");
  const Speed& s = *c.speed;
  Integers counts = s.inputs;
  counts.insert(counts.end(), {s.output, s.output});
  const SharedArrays arrays(memory, counts);
  std::vector<float*> inputs;
  for (std::size_t i = 0; i < s.inputs.size(); ++i) inputs.push_back(arrays[i]);
  float* output = arrays[s.inputs.size()];
  const float* other = arrays[s.inputs.size() + 1];
  Rng rng(seed, limulus::stream_of(c.name));
  for (char letter = 0; read(in, &letter, 1) == 1;) {
    std::string line = "done";
    switch (letter) {
      case 'm':
        for (std::size_t i = 0; i < s.inputs.size(); ++i)
          std::generate_n(inputs[i], s.inputs[i],
                          [&] { return static_cast<float>(2 * rng.uniform() - 1); });
        break;
      case 'g':
        s.library(s.sizes, inputs, output);
        break;
      case 'c':
        line = compared(s, output, other);
        break;
      case 'p':
        line = std::to_string(peak());
        break;
      default:
        return 2;
    }
    line += "\n";
    if (write(out, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return 3;
  }
  return 0;
}

}  // namespace course
