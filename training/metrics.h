#pragma once
// What a classifier is judged by: top-1 and top-5 accuracy, and the confusion matrix (who is taken
// for whom).
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace limulus {

// The k classes with the largest scores, largest first; of equal scores the smaller index comes
// first. A NaN score is never chosen before a number.
std::vector<std::int64_t> top_k(const float* scores, std::int64_t classes, int k);

class Metrics {
 public:
  Metrics() = default;
  explicit Metrics(std::int64_t classes);

  // scores [n, classes], labels [n]
  void add(const float* scores, const std::int64_t* labels, std::int64_t n);

  std::int64_t count() const { return count_; }
  double top1() const;  // fraction in [0, 1]; NaN when nothing was added
  double top5() const;
  std::int64_t classes() const { return classes_; }
  // How many images of class `truth` were taken for class `guess`.
  std::int64_t confusion(std::int64_t truth, std::int64_t guess) const;
  // All pairs that occurred, (truth, guess) -> images, in the order of rows: at most one for each
  // image, however many classes there are.
  const std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t>& confusions() const {
    return confusion_;
  }

 private:
  std::int64_t classes_ = 0, count_ = 0, right1_ = 0, right5_ = 0;
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> confusion_;
};

}  // namespace limulus
