// 7.6 A training, from the first weights to an answer
#include "network.h"

namespace course {

double train_step(Network& net, Random& random, double p, const Rule& rule, In views,
                  Labels labels) {
  // BEGIN SOLUTION 7.6
  for (Parameter& q : net.parameters) std::fill(q.g.begin(), q.g.end(), 0.0);
  const std::size_t count = labels.size(), length = views.size() / count;
  std::vector<double> h(Network::kHidden), kept(h), mask(h), dkept(h), dh(h);
  std::vector<double> z(Network::kClasses), dz(z);
  double loss = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const In view = views.subspan(i * length, length);
    net.hidden(view, h);
    dropout_train(random, p, h, kept, mask);
    net.logits(kept, z);
    loss += softmax_loss(z, labels[i], dz) / static_cast<double>(count);
    for (double& d : dz) d /= static_cast<double>(count);
    net.logits_backward(kept, dz, dkept);
    dropout_backward(dkept, mask, dh);
    net.hidden_backward(view, dh);
  }
  for (Parameter& q : net.parameters) sgd_step(rule, q.g, q.w, q.v);
  return loss;
  // END SOLUTION
}

void train(Network& net, Random& random, const Recipe& recipe, In pictures, Labels labels) {
  // BEGIN SOLUTION 7.6
  constexpr std::int64_t side = Network::kPicture, cropped = Network::kSide;
  constexpr std::int64_t picture = 3 * side * side, view = 3 * cropped * cropped;
  for (Parameter& q : net.parameters) {
    std::fill(q.w.begin(), q.w.end(), 0.0);
    if (q.name == "fc3.weight")
      paper_weights(random, q.w);
    else if (q.shape.size() > 1)
      he_weights(random, q.shape, q.w);
  }
  const auto count = static_cast<std::int64_t>(labels.size());
  std::vector<double> axes(9);
  colour_axes(count, side * side, pictures, axes);
  const std::int64_t steps = count / recipe.batch;
  std::vector<double> views(static_cast<std::size_t>(recipe.batch * view));
  std::vector<std::int64_t> chosen(static_cast<std::size_t>(recipe.batch));
  for (std::int64_t epoch = 0; epoch < recipe.epochs; ++epoch) {
    const std::vector<std::int64_t> order = random.permutation(count);
    for (std::int64_t step = 0; step < steps; ++step) {
      for (std::int64_t i = 0; i < recipe.batch; ++i) {
        const std::int64_t n = order[static_cast<std::size_t>(step * recipe.batch + i)];
        const Out part = Out(views).subspan(static_cast<std::size_t>(i * view), view);
        cut({3, side, side}, pictures.subspan(static_cast<std::size_t>(n * picture), picture),
            random_view(random, side, side, cropped), cropped, part);
        shift_colours(random, axes, recipe.sigma, part);
        chosen[static_cast<std::size_t>(i)] = labels[static_cast<std::size_t>(n)];
      }
      Rule rule = recipe.rule;
      rule.lr = cosine_rate(recipe.rule.lr, epoch * steps + step, recipe.epochs * steps);
      train_step(net, random, recipe.p, rule, views, chosen);
    }
  }
  // END SOLUTION
}

void predict(Network& net, double p, In picture, Out probabilities) {
  // BEGIN SOLUTION 7.6
  constexpr std::int64_t side = Network::kPicture, cropped = Network::kSide;
  std::vector<double> part(3 * cropped * cropped), h(Network::kHidden), halved(h);
  std::vector<double> logits(10 * Network::kClasses);
  std::size_t place = 0;
  for (const View& view : ten_views(side, side, cropped)) {
    cut({3, side, side}, picture, view, cropped, part);
    net.hidden(part, h);
    dropout_test(p, h, halved);
    net.logits(halved, Out(logits).subspan(place, Network::kClasses));
    place += Network::kClasses;
  }
  mean_prediction(logits, probabilities);
  // END SOLUTION
}

}  // namespace course
