// What `limulus explain` computes without running a network: sizes, parameters, multiply-adds and
// memory. The input is a text such as
//
//     conv2d --input 3x224x224 --kernel 11 --stride 4 --padding 2
//
// It is read as a command line, and then its numbers alone, whatever they are, as sizes: a command
// line has limits that functions do not have.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "backends/registry.h"
#include "harness.h"
#include "layers/avg_pool2d.h"
#include "layers/conv2d.h"
#include "layers/max_pool2d.h"
#include "layers/walk.h"
#include "models/models.h"
#include "tools/commands.h"
#include "tools/explain_element.h"

using namespace limulus;

// An element is explained by running the network: too slow here, and no matter of sizes.
void tools::explain_element(const ElementArguments&) {}

namespace {

// Counts and sizes have no sign. Where one overflowed, it often has.
void check_text(std::string_view text) {
  for (std::size_t i = 0; i + 1 < text.size(); ++i)
    fuzz::require(text[i] != '-' || !std::isdigit(static_cast<unsigned char>(text[i + 1])),
                  "no number of an explanation is negative");
}

// stdout, to be read
std::string printed_by(const std::function<void()>& action) {
  static std::FILE* const file = [] {
    std::FILE* temporary = std::tmpfile();
    ::dup2(::fileno(temporary), STDOUT_FILENO);
    return temporary;
  }();
  action();
  std::fflush(stdout);
  std::string text(static_cast<std::size_t>(::lseek(::fileno(file), 0, SEEK_END)), '\0');
  fuzz::require(::pread(::fileno(file), text.data(), text.size(), 0) >= 0 &&
                    ::ftruncate(::fileno(file), 0) == 0 &&
                    ::lseek(::fileno(file), 0, SEEK_SET) == 0,
                "what was printed can be read");
  return text;
}

void run_program(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words(std::istream_iterator<std::string>(stream), {});
  // AlexNets have 244 MB of weights, others as much as their classes ask for.
  const auto small = {"conv2d", "max_pool2d", "avg_pool2d", "lenet5", "cifar-convnet"};
  if (words.empty() || std::find(small.begin(), small.end(), words[0]) == small.end()) return;
  if (text.find("--classes") != std::string::npos || text.find("--list") != std::string::npos)
    return;
  CLI::App app;
  tools::add_explain(app);
  words.insert(words.begin(), "explain");
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  check_text(printed_by([&] {
    try {
      app.parse(words);
    } catch (const CLI::ParseError&) {
    } catch (const Error&) {
    }
  }));
}

std::vector<std::int64_t> numbers_of(const std::string& text) {
  std::vector<std::int64_t> numbers;
  const char *p = text.data(), *end = p + text.size();
  while (p != end) {
    std::int64_t value = 0;
    const auto [after, error] = std::from_chars(p, end, value);
    if (error == std::errc{}) numbers.push_back(value);
    p = after == p ? p + 1 : after;
  }
  return numbers;
}

void check_steps(const std::vector<WalkStep>& steps) {
  for (const WalkStep& s : steps) {
    fuzz::require(s.parameters >= 0 && s.connections >= 0 && s.multiply_adds >= 0 && s.memory >= 0,
                  "counts are not negative");
    for (const std::int64_t size : s.out.sizes()) fuzz::require(size >= 0, "a size has no sign");
  }
  check_text(walk_text(steps));
  check_text(walk_markdown(steps));
  check_text(walk_json(steps));
}

template <class Action>
void may_refuse(Action action) {
  try {
    check_steps(action());
  } catch (const Error& error) {
    fuzz::require(error.what()[0] != '\0', "an error says something");
  }
}

void compute(const std::vector<std::int64_t>& numbers) {
  const auto number = [&](std::size_t i, std::int64_t otherwise) {
    return i < numbers.size() ? numbers[i] : otherwise;
  };
  const std::int64_t c = number(0, 3), h = number(1, 7), w = number(2, 7), kernel = number(3, 3),
                     stride = number(4, 1), pad = number(5, 0), dilation = number(6, 1),
                     groups = number(7, 1), k = number(8, 4), batch = number(9, 1);
  may_refuse([&] {
    const Conv2dOptions options = {
        .stride = stride, .pad = pad, .dilation = dilation, .groups = groups};
    const std::int64_t seen = groups > 0 ? c / groups : c;
    return std::vector{conv2d_step({batch, c, h, w}, {k, seen, kernel, kernel}, options)};
  });
  for (const bool ceil : {false, true}) {
    const Pool2dOptions options = {
        .kernel = kernel, .stride = Size2d(stride), .pad = pad, .ceil = ceil};
    may_refuse([&] { return MaxPool2d(options).walk({batch, c, h, w}); });
    may_refuse([&] { return AvgPool2d(options).walk({batch, c, h, w}); });
  }
  static const auto networks = [] {
    const UnfilledParameters only_walked;
    std::vector<std::shared_ptr<Module>> all;
    for (const ModelSpec& spec : list_models())
      all.push_back(make_model(spec.name, 0, device("reference")));
    return all;
  }();
  for (const auto& network : networks)
    for (const std::int64_t channels : {std::int64_t{1}, std::int64_t{3}})
      may_refuse([&] { return network->walk({batch, channels, h, w}); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  run_program(text);
  compute(numbers_of(text));
  return 0;
}
