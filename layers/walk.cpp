#include "layers/walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/checked.h"

namespace limulus {

// ---- numbers for people ----------------------------------------------------------------------

std::string image_size(const Shape& batch) {
  std::string size;
  for (int axis = 1; axis < batch.rank(); ++axis)
    size += fmt::format("{}{}", axis > 1 ? "x" : "", batch[axis]);
  return size.empty() ? batch.str() : size;
}

std::string formula_of(const Window2d& window) {
  const std::string rows = window.h.formula(), columns = window.w.formula();
  return rows == columns ? rows : fmt::format("h: {}, w: {}", rows, columns);
}

std::string describe_window(const Window2d& window) {
  const auto& [h, w] = window;
  const auto pair = [](std::int64_t a, std::int64_t b) {
    return a == b ? std::to_string(a) : fmt::format("{}x{}", a, b);
  };
  std::string text = fmt::format("{}x{}", h.kernel, w.kernel);
  if (h.stride != 1 || w.stride != 1) text += ", stride " + pair(h.stride, w.stride);
  if (h.pad != 0 || w.pad != 0) text += ", padding " + pair(h.pad, w.pad);
  if (h.dilation != 1 || w.dilation != 1) text += ", dilation " + pair(h.dilation, w.dilation);
  return text;
}

WalkTotals totals(const std::vector<WalkStep>& steps) {
  WalkTotals sum;
  for (const WalkStep& s : steps) {
    sum.parameters = size_sum(sum.parameters, s.parameters);
    sum.connections = size_sum(sum.connections, s.connections);
    sum.multiply_adds = size_sum(sum.multiply_adds, s.multiply_adds);
    sum.memory = size_sum(sum.memory, s.memory);
  }
  return sum;
}

// ---- tables ----------------------------------------------------------------------------------

namespace {

constexpr std::size_t number_columns_begin = 3;  // these are aligned at the right
using Row = std::vector<std::string>;

// A layer without learned weights has no connections to count: its cells stay empty.
std::string count_or_blank(std::int64_t n) { return n == 0 ? "" : with_thousands(n); }

Row numbers_of(const WalkStep& s) {
  return {count_or_blank(s.parameters), count_or_blank(s.connections),
          count_or_blank(s.multiply_adds), in_bytes(s.memory)};
}

Row numbers_of(const WalkTotals& t) {
  return {with_thousands(t.parameters), with_thousands(t.connections),
          with_thousands(t.multiply_adds), in_bytes(t.memory)};
}

Row joined(Row left, const Row& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

std::string aligned(const std::vector<Row>& rows) {
  std::vector<std::size_t> width(rows.at(0).size(), 0);
  for (const Row& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c > 0) line += "  ";
      line += c < number_columns_begin ? fmt::format("{:<{}}", row[c], width[c])
                                       : fmt::format("{:>{}}", row[c], width[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace

std::string walk_text(const std::vector<WalkStep>& steps) {
  if (steps.empty()) return "(no layers)\n";
  std::vector<Row> rows = {
      {"layer", "output size", "shape", "parameters", "connections", "multiply-adds", "memory"}};
  rows.push_back({"input", "", image_size(steps[0].in), "", "", "", ""});
  for (const WalkStep& s : steps)
    rows.push_back(joined({s.name, s.formula, image_size(s.out)}, numbers_of(s)));
  rows.push_back(joined({"total", "", ""}, numbers_of(totals(steps))));
  return aligned(rows) +
         fmt::format(
             "Parameters are learned numbers. Connections (parameters times the places where each\n"
             "is used) and multiply-adds are of one image, forward, in layers that learn; memory\n"
             "is that of the outputs in f32 for a batch of {}.\n",
             with_thousands(steps[0].in[0]));
}

std::string walk_markdown(const std::vector<WalkStep>& steps) {
  std::string text =
      "| layer | what | output size | shape | parameters | connections | multiply-adds | memory |\n"
      "| --- | --- | --- | --- | ---: | ---: | ---: | ---: |\n";
  const auto add = [&](const Row& row) { text += fmt::format("| {} |\n", fmt::join(row, " | ")); };
  for (const WalkStep& s : steps)
    add(joined({s.name, s.detail, s.formula, image_size(s.out)}, numbers_of(s)));
  add(joined({"total", "", "", ""}, numbers_of(totals(steps))));
  return text;
}

namespace {

// Sizes of both axes, height first.
nlohmann::ordered_json json_of(const Window2d& w) {
  return {{"kernel", {w.h.kernel, w.w.kernel}},
          {"stride", {w.h.stride, w.w.stride}},
          {"padding", {w.h.pad, w.w.pad}},
          {"dilation", {w.h.dilation, w.w.dilation}},
          {"ceil", w.h.ceil}};
}

// A number; where there are more than 63 bits count, a text, so that nobody computes with it.
nlohmann::ordered_json json_count(std::int64_t n) {
  if (n == uncountable) return fmt::format("more than {}", n - 1);
  return n;
}

}  // namespace

std::string walk_json(const std::vector<WalkStep>& steps) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const WalkStep& s : steps) {
    list.push_back({{"name", s.name},
                    {"kind", s.kind},
                    {"formula", s.formula},
                    {"detail", s.detail},
                    {"in", s.in.sizes()},
                    {"out", s.out.sizes()},
                    {"parameters", json_count(s.parameters)},
                    {"connections", json_count(s.connections)},
                    {"multiply_adds", json_count(s.multiply_adds)},
                    {"memory_bytes", json_count(s.memory)}});
    if (s.window) list.back()["window"] = json_of(*s.window);
    if (s.kind == "Conv2d") list.back()["groups"] = s.groups;
  }
  const WalkTotals sum = totals(steps);
  nlohmann::ordered_json all;
  all["batch"] = steps.empty() ? 0 : steps[0].in[0];
  all["steps"] = std::move(list);
  all["totals"] = {{"parameters", json_count(sum.parameters)},
                   {"connections", json_count(sum.connections)},
                   {"multiply_adds", json_count(sum.multiply_adds)},
                   {"memory_bytes", json_count(sum.memory)}};
  return all.dump(2) + "\n";
}

}  // namespace limulus
