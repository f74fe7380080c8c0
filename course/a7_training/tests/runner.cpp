// What the judge can call of assignment 7.
#include "runner.h"

#include "network.h"

namespace course {
namespace {

Random random_of(const Record& in, std::uint64_t more = 0) {
  return Random(static_cast<std::uint64_t>(in.integer("seed")) + more);
}

// Gives the function room for its result of this shape, and notes what it wrote there.
template <class F>
void answer(Record& out, const std::string& name, const Sizes& shape, F compute) {
  Output room(product(shape));
  compute(room.span());
  out.put(name, shape, room.values());
}

// ---- 7.1 -------------------------------------------------------------------------------------

void call_weights(const Record& in, Record& out, void (*fill)(Random&, Axes, Out)) {
  const Integers& shape = in.integers("shape");
  const auto draw = [&](const char* name, Random random) {
    answer(out, name, shape, [&](Out w) { fill(random, shape, w); });
  };
  draw("w", random_of(in));
  draw("again", random_of(in));
  draw("other", random_of(in, 1));
  Random random = random_of(in);
  Integers words;
  for (int i = 0; i < 8; ++i) words.push_back(random.word());
  out.put("words", words);
}
void call_paper(const Record& in, Record& out) {
  call_weights(in, out, [](Random& random, Axes, Out w) { paper_weights(random, w); });
}
void call_he(const Record& in, Record& out) { call_weights(in, out, he_weights); }
void call_xavier(const Record& in, Record& out) { call_weights(in, out, xavier_weights); }
void call_bias(const Record& in, Record& out) {
  out.put("bias", {}, {paper_bias(in.text("layer"))});
}
void call_fans(const Record& in, Record& out) {
  out.put("in", fan_in(in.integers("shape")));
  out.put("out", fan_out(in.integers("shape")));
}

// ---- 7.2 -------------------------------------------------------------------------------------

void call_sgd(const Record& in, Record& out) {
  const Doubles &lr = in.doubles("lr"), &start_w = in.doubles("w"), &start_v = in.doubles("v");
  const std::size_t n = start_w.size();
  Output w(static_cast<std::int64_t>(n)), v(static_cast<std::int64_t>(n));
  std::copy(start_w.begin(), start_w.end(), w.span().begin());
  std::copy(start_v.begin(), start_v.end(), v.span().begin());
  Doubles all_w, all_v;
  for (std::size_t step = 0; step < lr.size(); ++step) {
    sgd_step({lr[step], in.number("momentum"), in.number("decay")},
             In(in.doubles("g")).subspan(step * n, n), w.span(), v.span());
    const Doubles new_w = w.values(), new_v = v.values();
    all_w.insert(all_w.end(), new_w.begin(), new_w.end());
    all_v.insert(all_v.end(), new_v.begin(), new_v.end());
  }
  const Sizes shape = {static_cast<std::int64_t>(lr.size()), static_cast<std::int64_t>(n)};
  out.put("w", shape, all_w);
  out.put("v", shape, all_v);
}
void call_cosine(const Record& in, Record& out) {
  const std::int64_t steps = in.integer("steps");
  Doubles rates;
  for (std::int64_t i = 0; i < steps; ++i) rates.push_back(cosine_rate(in.number("lr"), i, steps));
  out.put("rates", {steps}, rates);
}
void call_plateau(const Record& in, Record& out) {
  Plateau plateau;
  plateau.patience = in.integer("patience");
  Doubles rates;
  for (const double error : in.doubles("errors")) rates.push_back(plateau_rate(plateau, error));
  out.put("rates", in.shape("errors"), rates);
}

// ---- 7.3 -------------------------------------------------------------------------------------

void call_dropout(const Record& in, Record& out) {
  const Sizes& shape = in.shape("x");
  const auto draw = [&](Random& random, const char* mask_name, const char* y_name) {
    answer(out, y_name, shape, [&](Out y) {
      answer(out, mask_name, shape,
             [&](Out mask) { dropout_train(random, in.number("p"), in.doubles("x"), y, mask); });
    });
  };
  Random random = random_of(in), again = random_of(in), other = random_of(in, 1);
  draw(random, "mask", "y");
  draw(random, "next", "y of next");
  draw(again, "again", "y of again");
  draw(other, "other", "y of other");
}
void call_dropout_backward(const Record& in, Record& out) {
  answer(out, "dx", in.shape("dy"),
         [&](Out dx) { dropout_backward(in.doubles("dy"), in.doubles("mask"), dx); });
}
void call_dropout_test(const Record& in, Record& out) {
  answer(out, "y", in.shape("x"), [&](Out y) { dropout_test(in.number("p"), in.doubles("x"), y); });
}

// ---- 7.4 and 7.5 -----------------------------------------------------------------------------

void put_view(Integers& all, const View& view) {
  all.insert(all.end(), {view.top, view.left, view.mirror ? 1 : 0});
}
void call_cut(const Record& in, Record& out) {
  const Sizes& x = in.shape("x");
  const Integers& views = in.integers("views");
  const std::int64_t side = in.integer("side"), count = static_cast<std::int64_t>(views.size()) / 3;
  Doubles all;
  for (std::size_t i = 0; i < views.size(); i += 3) {
    Output room(x[0] * side * side);
    cut({x[0], x[1], x[2]}, in.doubles("x"), {views[i], views[i + 1], views[i + 2] == 1}, side,
        room.span());
    const Doubles y = room.values();
    all.insert(all.end(), y.begin(), y.end());
  }
  out.put("y", {count, x[0], side, side}, all);
}
void call_random_view(const Record& in, Record& out) {
  const Integers& s = in.integers("sizes");
  Random random = random_of(in);
  Integers views;
  for (std::int64_t i = 0; i < in.integer("count"); ++i)
    put_view(views, random_view(random, s[0], s[1], s[2]));
  out.put("views", views);
}
void call_axes(const Record& in, Record& out) {
  const Sizes& shape = in.shape("pictures");
  answer(out, "axes", {3, 3},
         [&](Out axes) { colour_axes(shape[0], shape[2], in.doubles("pictures"), axes); });
}
void call_shift(const Record& in, Record& out) {
  const Doubles& x = in.doubles("x");
  Random random = random_of(in);
  Doubles all;
  for (std::int64_t i = 0; i < in.integer("count"); ++i) {
    Output room(static_cast<std::int64_t>(x.size()));
    std::copy(x.begin(), x.end(), room.span().begin());
    shift_colours(random, in.doubles("axes"), in.number("sigma"), room.span());
    const Doubles y = room.values();
    all.insert(all.end(), y.begin(), y.end());
  }
  out.put("y", {in.integer("count"), in.shape("x")[0], in.shape("x")[1]}, all);
}
void call_ten_views(const Record& in, Record& out) {
  const Integers& s = in.integers("sizes");
  Integers views;
  for (const View& view : ten_views(s[0], s[1], s[2])) put_view(views, view);
  out.put("views", views);
}
void call_prediction(const Record& in, Record& out) {
  answer(out, "p", {in.shape("logits")[1]},
         [&](Out p) { mean_prediction(in.doubles("logits"), p); });
}

// ---- 7.6 -------------------------------------------------------------------------------------

void set_weights(Network& net, const Record& in) {
  for (std::size_t i = 0; i < net.parameters.size(); ++i)
    net.parameters[i].w = in.doubles("w" + std::to_string(i));
}
void call_train_step(const Record& in, Record& out) {
  Network net;
  set_weights(net, in);
  const Doubles& numbers = in.doubles("numbers");
  Random random = random_of(in);
  Doubles losses;
  for (std::int64_t step = 0; step < in.integer("steps"); ++step)
    losses.push_back(train_step(net, random, numbers[3], {numbers[0], numbers[1], numbers[2]},
                                in.doubles("views"), in.integers("labels")));
  out.put("losses", {in.integer("steps")}, losses);
  for (std::size_t i = 0; i < net.parameters.size(); ++i)
    out.put("w" + std::to_string(i), net.parameters[i].shape, net.parameters[i].w);
}
void call_predict(const Record& in, Record& out) {
  Network net;
  set_weights(net, in);
  answer(out, "probabilities", {Network::kClasses},
         [&](Out p) { predict(net, in.number("p"), in.doubles("picture"), p); });
}
void call_train(const Record& in, Record& out) {
  Recipe recipe;
  recipe.epochs = 30;
  recipe.batch = 8;
  recipe.rule.lr = 0.03;
  for (std::int64_t seed = 0; seed < in.integer("seeds"); ++seed) {
    const std::string number = std::to_string(seed);
    Network net;
    Random random(static_cast<std::uint64_t>(seed));
    train(net, random, recipe, in.doubles("pictures" + number), in.integers("labels" + number));
    const Sizes& shape = in.shape("tested" + number);
    const std::size_t classes = Network::kClasses, picture = in.doubles("tested" + number).size() /
                                                             static_cast<std::size_t>(shape[0]);
    answer(out, "p" + number, {shape[0], Network::kClasses}, [&](Out p) {
      for (std::size_t i = 0; i < static_cast<std::size_t>(shape[0]); ++i)
        predict(net, recipe.p, In(in.doubles("tested" + number)).subspan(i * picture, picture),
                p.subspan(i * classes, classes));
    });
  }
}

}  // namespace

const std::map<std::string, Call>& calls() {
  static const std::map<std::string, Call> table = {{"paper_weights", call_paper},
                                                    {"paper_bias", call_bias},
                                                    {"fans", call_fans},
                                                    {"he_weights", call_he},
                                                    {"xavier_weights", call_xavier},
                                                    {"sgd_step", call_sgd},
                                                    {"cosine_rate", call_cosine},
                                                    {"plateau_rate", call_plateau},
                                                    {"dropout_train", call_dropout},
                                                    {"dropout_backward", call_dropout_backward},
                                                    {"dropout_test", call_dropout_test},
                                                    {"cut", call_cut},
                                                    {"random_view", call_random_view},
                                                    {"colour_axes", call_axes},
                                                    {"shift_colours", call_shift},
                                                    {"ten_views", call_ten_views},
                                                    {"mean_prediction", call_prediction},
                                                    {"train_step", call_train_step},
                                                    {"predict", call_predict},
                                                    {"train", call_train}};
  return table;
}

}  // namespace course
