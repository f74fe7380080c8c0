// 8.7 A step on many machines
#include "machines.h"
#include "model.h"

namespace course {

float data_parallel_step(Rank& me, const Rule& rule, In pictures, Labels labels, Out w, Out v) {
  // BEGIN SOLUTION 8.7
  const std::size_t count = labels.size(),
                    row = kWeights + 1;  // the loss travels with the gradient
  std::vector<float> rows(count * row), sum(row);
  for (std::size_t i = 0; i < count; ++i) {
    const Out here = Out(rows).subspan(i * row, row);
    here[kWeights] =
        gradient(w, pictures.subspan(i * kPicture, kPicture), labels[i], here.first(kWeights));
  }
  sum_tree(static_cast<std::int64_t>(count), rows, sum);
  all_reduce_owners(me, sum);
  const std::int64_t batch = me.count() * static_cast<std::int64_t>(count);
  update(rule, batch, In(sum).first(kWeights), w, v);
  return sum[kWeights] / static_cast<float>(batch);
  // END SOLUTION
}

void data_parallel_training(Rank& me, const Rule& rule, std::int64_t steps, In pictures,
                            Labels labels, Out w) {
  // BEGIN SOLUTION 8.7
  broadcast(me, w);
  std::vector<float> v(w.size());
  const std::size_t count = labels.size() / static_cast<std::size_t>(steps);
  for (std::size_t step = 0; step < static_cast<std::size_t>(steps); ++step)
    data_parallel_step(me, rule, pictures.subspan(step * count * kPicture, count * kPicture),
                       labels.subspan(step * count, count), w, v);
  // END SOLUTION
}

}  // namespace course
