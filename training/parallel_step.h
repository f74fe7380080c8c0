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
//
// Backward goes from the last layer to the first. What the last layer has to send is complete long
// before the first one's: a thread beside this one (distributed/courier.h) sends it meanwhile. That
// begins in a rank's last micro-batch, as the sums are not complete before.
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/courier.h"
#include "distributed/tree_sum.h"
#include "layers/linear.h"
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
  // Seconds a step, on average: what it took to exchange all this, and how much of it this rank
  // waited for, with nothing left to compute.
  struct Travel {
    double exchanging = 0, waiting = 0;
  };
  Travel travel() const;

 private:
  struct Factors {             // of a layer, from this rank's micro-batches
    std::vector<float> x, dy;  // [rows, in], [rows, out]
    std::int64_t uses = 0;     // of the layer, in all those micro-batches
    std::int64_t bias = -1;    // which parameter; -1: none
  };
  // Something that the ranks exchange in every step: a parameter's gradient, or the factors of it.
  struct Item {
    std::int64_t parameter, bias;  // whose gradient follows from the same factors; -1: none
    std::int64_t uses;             // of the layer, in a micro-batch; 0: it goes as a gradient
  };
  struct OnTheWay {
    Tensor sum;                         // of an Item that goes as a gradient; else undefined
    std::shared_ptr<Factors> gathered;  // of all ranks
    std::future<void> there;
  };
  struct Told {  // by a rank, of its images in this step
    std::vector<float> losses;
    std::int64_t right = 0;
  };
  struct Counts;

  void begin_step(const Batch& mine);
  void forward_and_backward(const Batch& mine, std::uint64_t step, std::int64_t images);
  void learn(const Tensor& x, const std::int64_t* labels, std::int64_t images);
  void has_gradient(Tensor& w);
  void has_factors(const LinearFactors& f);
  void leave_out(std::size_t parameter, std::int64_t end);
  void complete(std::size_t parameter);
  void make_plan();
  template <class F>
  std::future<void> send(const std::string& name, const char* as, F errand);
  void wait_for(std::future<void>& errand);
  void tell_losses();
  OnTheWay send_gradient(const Item& item);
  OnTheWay send_factors(const Item& item);
  void take(const Item& item, OnTheWay& sent);
  void check_all_sent();
  double steps() const { return static_cast<double>(steps_ > 0 ? steps_ : 1); }
  std::int64_t index_of(const Tensor& parameter) const;

  Module& model_;
  Backend& backend_;
  Communicator& ranks_;
  const std::int64_t micro_batches_;
  const bool factors_wanted_;
  const std::uint64_t seed_;
  const LeafRange share_;
  std::vector<NamedTensor> parameters_;

  // In the order of backward. It is known from the first step that has images on.
  std::vector<Item> plan_;
  bool planned_ = false;

  // Of the step in work.
  std::int64_t micro_batch_ = 0, last_ = -1;  // the one in work; this rank's last with images
  std::vector<std::int64_t> images_;          // of each rank
  Told mine_;
  std::shared_ptr<Told> all_;
  std::future<void> told_;
  std::vector<TreeSum<Tensor>> sums_;     // of each parameter
  std::vector<std::int64_t> next_;        // micro-batch that each of them has to be told
  std::vector<Factors> factors_;          // of each parameter
  std::vector<std::int64_t> first_seen_;  // parameters, in the order of backward, some repeatedly
  std::vector<bool> complete_;            // of each parameter
  std::vector<OnTheWay> on_the_way_;      // the first so many of the plan

  std::shared_ptr<Counts> counts_;
  std::int64_t steps_ = 0;
  double waited_ = 0;
  Courier courier_;
};

// DeviceError where ranks cannot reach a device's memory.
void check_memory(const Backend& backend);

// A table: what each layer's parameters cost on the way.
std::string traffic_text(const std::vector<Traffic>& traffic, int ranks);
// A sentence: how much of the exchange passed beside computing.
std::string travel_text(const ParallelStep::Travel& travel);

}  // namespace limulus
