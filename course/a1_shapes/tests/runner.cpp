// What the judge can call of assignment 1.
#include "runner.h"

#include "shapes.h"

namespace course {
namespace {

Window window(const Integers& v, std::size_t at = 0) {
  return {v[at], v[at + 1], v[at + 2], v[at + 3], v[at + 4]};
}

// The results, or for a window that does not fit the record "invalid".
template <class F>
void answer(Record& out, F compute) {
  try {
    out.put("result", compute());
  } catch (const std::invalid_argument&) {
    out.put("invalid", std::int64_t{1});
  }
}

Integers listed(const Counts& c) { return {c.parameters, c.connections, c.multiply_adds}; }

void sizes(const Record& in, Record& out, std::int64_t (*size)(const Window&)) {
  answer(out, [&] { return Integers{size(window(in.integers("window")))}; });
}

void call_output_size(const Record& in, Record& out) { sizes(in, out, output_size); }
void call_output_size_ceil(const Record& in, Record& out) { sizes(in, out, output_size_ceil); }

void call_convolution_counts(const Record& in, Record& out) {
  const Integers &i = in.integers("image"), &c = in.integers("convolution");
  answer(out, [&] {
    return listed(convolution_counts({i[0], i[1], i[2]}, {c[0], c[1], c[2], c[3], c[4]}));
  });
}

void call_linear_counts(const Record& in, Record& out) {
  answer(out, [&] { return listed(linear_counts(in.integer("in"), in.integer("out"))); });
}

void call_walk(const Record& in, Record& out) {
  const Integers &i = in.integers("image"), &l = in.integers("layers");
  std::vector<Layer> layers;
  for (std::size_t at = 0; at < l.size(); at += 6)
    layers.push_back(
        {static_cast<Kind>(l[at]), {l[at + 1], l[at + 2], l[at + 3], l[at + 4], l[at + 5]}});
  answer(out, [&] {
    Integers result;
    for (const Step& s : walk({i[0], i[1], i[2]}, layers))
      for (const std::int64_t n : {s.out.channels, s.out.height, s.out.width, s.counts.parameters,
                                   s.counts.connections, s.counts.multiply_adds})
        result.push_back(n);
    return result;
  });
}

void call_receptive_field(const Record& in, Record& out) {
  const Integers& l = in.integers("layers");
  std::vector<Window> layers;
  for (std::size_t at = 0; at < l.size(); at += 5) layers.push_back(window(l, at));
  answer(out, [&] {
    const ReceptiveField f = receptive_field(layers);
    return Integers{f.size, f.jump, f.start};
  });
}

void call_inputs_for(const Record& in, Record& out) {
  answer(out, [&] {
    const Range r = inputs_for(in.integer("out"), window(in.integers("window")));
    return Integers{r.smallest, r.largest};
  });
}

}  // namespace

const std::map<std::string, Call>& calls() {
  static const std::map<std::string, Call> table = {{"output_size", call_output_size},
                                                    {"output_size_ceil", call_output_size_ceil},
                                                    {"convolution_counts", call_convolution_counts},
                                                    {"linear_counts", call_linear_counts},
                                                    {"walk", call_walk},
                                                    {"receptive_field", call_receptive_field},
                                                    {"inputs_for", call_inputs_for}};
  return table;
}

}  // namespace course
