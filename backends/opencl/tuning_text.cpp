// Sizes as text (JSON with a number for each), what is wrong with sizes, and in what two sets of
// sizes differ. Nothing here needs OpenCL.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "backends/opencl/tuning.h"
#include "core/error.h"

namespace limulus::opencl {
namespace {

// Every size with its name and the limits within which a kernel makes sense.
template <class T, class F>
void for_each_size(T& t, F f) {
  f("vec_f32", t.vec_f32, 2, 16);
  f("vec_f64", t.vec_f64, 2, 16);
  f("tile_rows", t.tile_rows, 1, 16);
  f("group_a", t.group_a, 1, 64);
  f("group_b", t.group_b, 1, 64);
  f("slice", t.slice, 1, 64);
  f("k_block", t.k_block, 16, 4096);
  f("k_pass", t.k_pass, 16, std::numeric_limits<int>::max());
  f("run", t.run, 1, 1 << 20);
  f("run_across", t.run_across, 1, 1 << 16);
  f("taps_run", t.taps_run, 1, 1 << 12);
  f("winograd_bytes", t.winograd_bytes, 1 << 16, std::int64_t{1} << 40);
  f("group", t.group, 1, 1024);
}

// "" or why `value` is not allowed for this size.
std::string outside(const char* name, std::int64_t value, std::int64_t low, std::int64_t high) {
  return value < low || value > high ? fmt::format("{} is {}, not {} to {}", name, value, low, high)
                                     : "";
}

// A number from the file, within the limits of its size. get<int>() alone would make 777 of 2^32 +
// 777.
template <class T>
T size_from(const nlohmann::json& json, const char* name, std::int64_t low, std::int64_t high) {
  if (!json.is_number_integer()) throw ValueError("it is damaged");
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > std::uint64_t{INT64_MAX})
    throw ValueError(fmt::format("{} is {}, not {} to {}", name, json.dump(), low, high));
  const auto value = json.get<std::int64_t>();
  const std::string wrong = outside(name, value, low, high);
  if (!wrong.empty()) throw ValueError(wrong);
  return static_cast<T>(value);
}

}  // namespace

std::string tuning_json(const Tuning& t) {
  nlohmann::ordered_json sizes;
  for_each_size(t, [&](const char* name, auto value, auto, auto) { sizes[name] = value; });
  return sizes.dump(2);
}

Tuning tuning_from_json(std::string_view text, Tuning t) {
  try {
    const nlohmann::json sizes = nlohmann::json::parse(text);
    for_each_size(t, [&](const char* name, auto& value, auto low, auto high) {
      value = size_from<std::remove_reference_t<decltype(value)>>(sizes.at(name), name, low, high);
    });
  } catch (const nlohmann::json::exception&) {  // no JSON, a missing key, a value of another type
    throw ValueError("it is damaged");
  }
  const std::string wrong = check_tuning(t);
  if (!wrong.empty()) throw ValueError(wrong);
  return t;
}

std::string check_tuning(const Tuning& t) {
  std::string wrong;
  for_each_size(t, [&](const char* name, auto value, auto low, auto high) {
    if (wrong.empty()) wrong = outside(name, value, low, high);
  });
  for (const int vec : {t.vec_f32, t.vec_f64})
    if (wrong.empty() && (vec & (vec - 1)) != 0)
      wrong = fmt::format("OpenCL has no vectors of {} numbers", vec);
  const int widest = std::max(t.vec_f32, t.vec_f64);
  if (wrong.empty() && t.k_block % widest != 0)  // winograd.cl stores whole vectors of a block
    wrong = fmt::format("k_block {} is not a multiple of a vector's {}", t.k_block, widest);
  for (const int vec : {t.vec_f32, t.vec_f64})  // group_tile.cl reads whole vectors of rows
    if (wrong.empty() && !t.processor && t.tile_rows % vec != 0)
      wrong = fmt::format("tile_rows {} is not a multiple of a vector's {}", t.tile_rows, vec);
    else if (wrong.empty() && !t.processor && t.slice % vec != 0)
      wrong = fmt::format("slice {} is not a multiple of a vector's {}", t.slice, vec);
  if (wrong.empty() && t.k_pass % t.k_block != 0)
    wrong = fmt::format("k_pass {} is not a multiple of k_block {}", t.k_pass, t.k_block);
  if (wrong.empty() && t.processor && t.taps_run % 6 != 0)  // conv2d_backward.cl: WT
    wrong = fmt::format("taps_run {} is not a multiple of 6", t.taps_run);
  if (wrong.empty() && t.processor && (t.group_a != 1 || t.group_b != 1 || t.group != 1))
    wrong = "on a processor a group is one item";
  return wrong;
}

std::string difference(const Tuning& a, const Tuning& b) {
  std::map<std::string_view, std::int64_t> before;
  for_each_size(a, [&](const char* name, auto value, auto, auto) { before[name] = value; });
  std::string text;
  for_each_size(b, [&](const char* name, auto value, auto, auto) {
    if (before[name] != value)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, value);
  });
  return text;
}

}  // namespace limulus::opencl
