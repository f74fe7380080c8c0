#pragma once
// One step of training that several ranks make together, with the same bits for any number of them.
//
// The batch is cut into M micro-batches, and M is a setting of the run, not a consequence of how
// many ranks there are. Each micro-batch goes forward and backward by itself. So what it computes
// does not depend on who does it: rank r takes a range of them, one rank takes all. What is left is
// to add the M gradients up in an order that is always the same. There are two ways:
//
//   gradients   Each weight's gradient is summed over the micro-batches in a fixed tree
//               (distributed/tree_sum.h). For n weights each of R ranks sends 2 (R - 1)/R n
//               numbers: every rank sums one R-th of the weights, for which it gets R - 1 other
//               ranks' numbers, and then tells its sums to R - 1 ranks.
//   factors     The gradient of a fully connected layer is a product dw = dy^T x of what came in
//               [B, in] and the gradient of what went out [B, out], where B is the images of the
//               batch. Each rank sends its rows of x and dy, R - 1 times, and all ranks multiply
//               the same matrices, rows in the order of the batch. Convolutions use each weight in
//               many places, so that their factors are larger than the product: they go as
//               gradients. (Krizhevsky 2014, "One weird trick for parallelizing convolutional
//               neural networks", arXiv:1404.5997; Zhang et al. 2017, "Poseidon".)
//
// Then all ranks have the same gradients, and each makes the same update of its own weights, which
// therefore stay the same and are never sent.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/tree_sum.h"
#include "layers/module.h"
#include "training/config.h"
#include "training/data/loader.h"

namespace limulus {

// What this rank sent for a parameter, in bytes per step.
struct Traffic {
  std::string name;             // "fc6.weight"; "losses and counts" for what is no parameter
  const char* as = "gradient";  // or "factors"
  double bytes = 0;
};

class ParallelStep {
 public:
  // ValueError where a network's result depends on how a batch is cut (batch normalization), or
  // there are fewer micro-batches than ranks; DeviceError where ranks cannot reach its memory.
  ParallelStep(Module& model, Backend& backend, Communicator& ranks, const TrainConfig& config);

  LeafRange share() const { return share_; }  // the micro-batches of this rank

  struct Result {
    double loss = 0;          // the mean over the batch of all ranks
    double right = 0;         // so many of its images have their class as the likeliest
    std::int64_t images = 0;  // in the batch of all ranks; 0: no step is to be made
    bool stop = false;        // a rank was told to stop
  };
  // Forward and backward; then the parameters have the batch's gradients, on all ranks. `mine`
  // is this rank's share of the batch. Where the loss is not a number, there are no gradients.
  Result run(const Batch& mine, std::uint64_t step, bool stop);

  std::vector<Traffic> traffic() const;  // per step

 private:
  struct Factors {             // of one layer, from this rank's micro-batches
    std::vector<float> x, dy;  // [rows, in], [rows, out]
    std::int64_t rows = 0;
    std::int64_t bias = -1;  // which parameter; -1: none
  };
  struct Known {  // of one parameter, by all ranks together
    bool gradient = false;
    std::vector<std::int64_t> rows;  // of factors, of each rank
    std::int64_t bias = -1;
  };
  using Gradients = std::vector<Tensor>;  // of all parameters; undefined where there is none

  void forward_and_backward(const Batch& mine, std::uint64_t step, std::int64_t images);
  Gradients take_gradients();
  void exchange_gradient(std::size_t parameter);
  void exchange_factors(std::size_t parameter, const Known& known);
  void exchange();
  std::vector<Known> tell_what_is_known();
  std::int64_t index_of(const Tensor& parameter) const;
  void count(const std::string& name, const char* as, std::uint64_t before);

  Module& model_;
  Backend& backend_;
  Communicator& ranks_;
  const std::int64_t micro_batches_;
  const bool factors_wanted_;
  const std::uint64_t seed_;
  const LeafRange share_;
  std::vector<NamedTensor> parameters_;

  // Of the step in work.
  TreeSum<Gradients> sum_;
  std::map<const TensorImpl*, Factors> factors_;  // by weight
  std::vector<float> losses_;                     // of this rank's images
  std::int64_t right_ = 0;

  std::vector<Traffic> traffic_;  // sums over steps, in order of first use
  std::int64_t steps_ = 0;
};

// A table: what each layer's parameters cost on the way.
std::string traffic_text(const std::vector<Traffic>& traffic, int ranks);

}  // namespace limulus
