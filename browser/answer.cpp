#include "browser/answer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <exception>
#include <string_view>
#include <vector>

#include "browser/shelf.h"
#include "core/error.h"
#include "core/printable.h"

namespace limulus::browser {
namespace {

// A few values of an array, for tests; a page reads them where they lie.
Json values(const Json& request) {
  const std::vector<double>& all = values_of(text(request, "name"));
  const std::int64_t at = whole(request, "at"), count = whole(request, "count");
  const auto size = static_cast<std::int64_t>(all.size());
  if (at < 0 || count < 0 || at > size || count > size - at)
    throw ValueError(fmt::format("values: {} from {} on, of {}", count, at, size));
  return {{"size", size}, {"values", std::vector(all.begin() + at, all.begin() + at + count)}};
}

struct Question {
  const char* name;
  Json (*ask)(const Json& request);
};
constexpr Question questions[] = {
    {"convolution", convolution},
    {"element", element},
    {"reach", reach},
    {"gradient", gradient},
    {"mistakes", mistakes},
    {"check", check},
    {"digit", digit},
    {"train/begin", train_begin},
    {"train/steps", train_steps},
    {"train/test", train_test},
    {"values", values},
};

Json ask(const Json& request) {
  const std::string name = text(request, "ask");
  std::vector<const char*> names;
  for (const Question& q : questions) {
    if (name == q.name) return q.ask(request);
    names.push_back(q.name);
  }
  throw ValueError(
      fmt::format("ask: there is no \"{}\", but {}", printable(name), fmt::join(names, ", ")));
}

const Json& member(const Json& request, const char* name) {
  if (!request.is_object() || !request.contains(name))
    throw ValueError(fmt::format("the request has no \"{}\"", name));
  return request[name];
}

std::int64_t whole_from(const Json& value, const char* name) {
  constexpr double largest = 1e6;
  const bool fits = value.is_number() && std::abs(value.get<double>()) <= largest &&
                    std::floor(value.get<double>()) == value.get<double>();
  if (!fits)
    throw ValueError(fmt::format("\"{}\" is {}, but must be a whole number, at most {}", name,
                                 printable(value.dump()).substr(0, 80), largest));
  return static_cast<std::int64_t>(value.get<double>());
}

}  // namespace

std::int64_t whole(const Json& request, const char* name) {
  return whole_from(member(request, name), name);
}

double number(const Json& request, const char* name) {
  const Json& value = member(request, name);
  if (!value.is_number())
    throw ValueError(fmt::format("\"{}\" is {}, but must be a number", name,
                                 printable(value.dump()).substr(0, 80)));
  return value.get<double>();
}

std::string text(const Json& request, const char* name) {
  const Json& value = member(request, name);
  if (!value.is_string())
    throw ValueError(fmt::format("\"{}\" is {}, but must be a text", name,
                                 printable(value.dump()).substr(0, 80)));
  return value.get<std::string>();
}

std::vector<std::int64_t> wholes(const Json& request, const char* name) {
  const Json& value = member(request, name);
  if (!value.is_array()) throw ValueError(fmt::format("\"{}\" must be a list of numbers", name));
  std::vector<std::int64_t> all;
  for (const Json& each : value) all.push_back(whole_from(each, name));
  return all;
}

std::string answer(const std::string& request) {
  const auto said = [](const std::string& what) {
    return Json{{"error", what}}.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  try {
    return ask(Json::parse(request)).dump();
  } catch (const Json::parse_error& e) {
    return said(fmt::format("the request is no JSON: {}", e.what()));
  } catch (const std::bad_alloc&) {
    return said("there is not enough memory for this; choose a smaller picture");
  } catch (const std::exception& e) {
    return said(e.what());
  }
}

}  // namespace limulus::browser
