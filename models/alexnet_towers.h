#pragma once
// AlexNet as it was trained in 2012: two towers, each with half of every layer's outputs on a
// device of its own, because one GPU of 3 GB could not hold the network.
//
//           tower 0 (first device)                tower 1 (second device)
//   conv1   kernels 0..47  of 3x11x11             kernels 48..95
//   lrn1    <------ 2 channels each way, where the towers meet ------>
//   conv2   kernels 0..127 of 48x5x5              kernels 128..255       own tower's maps only
//   lrn2    <------ 2 channels each way ------>
//   conv3   <------ both towers' maps: 192 filters of 256x3x3 each ------>
//   conv4   192 filters of 192x3x3                                       own tower's maps only
//   conv5   128 filters of 192x3x3                                       own tower's maps only
//   fc6-8   <------ both towers' values: half of the outputs each ------>
//
// It is the same function as alexnet(): a convolution in two groups is two towers. Every weight of
// a tower is a block of rows of alexnet's weight of the same name (split_into_towers). What
// crosses goes through to() and concat(), and so do the gradients. Dropout draws a mask per tower,
// so that in training the two networks see different masks.
#include "layers/module.h"

namespace limulus {

class Communicator;

class AlexNetTowers : public Module {
 public:
  class Tower;

  // Images are given on `first`, where the logits appear; the second tower lives on `second`, which
  // may be the same.
  AlexNetTowers(std::int64_t classes, Backend& first, Backend& second, DType dtype = DType::f32,
                double dropout = 0.5);
  ~AlexNetTowers() override;
  const char* kind() const override { return "AlexNetTowers"; }
  Tensor forward(const Tensor& x) override;
  std::vector<WalkStep> walk(const Shape& in) const override;

  // From now on the towers are in two processes (distributed/communicator.h): forward() computes
  // the tower of this rank, and what it reads of the other one comes from there, as do gradients on
  // their way back. Both ranks give the same images, get all logits, and must call backward() from
  // the same loss. The other tower's parameters, which this rank has, too, get no gradients. Null:
  // both towers are here again. ValueError unless there are two ranks.
  void live_apart(Communicator* ranks);

  // The map of what goes from device to device where a layer begins; a shape of rank 0 is nothing.
  struct Crossing {
    std::string before;          // "conv3"
    Shape down, up;              // from tower 0 to tower 1, and from tower 1 to tower 0
    std::int64_t bytes() const;  // in f32, both ways
  };
  std::vector<Crossing> crossings(const Shape& in) const;

  // Where a parameter of the towers comes from: rows [start, start + count) of alexnet's.
  struct Source {
    std::string name;  // "conv2.weight" for "tower1.conv2.weight"
    std::int64_t start = 0, count = 0;
  };
  Source source_of(const std::string& parameter) const;

 private:
  Tensor forward_apart(const Tensor& x);
  // Appends the steps, and what crosses, for an input of that shape.
  void follow(const Shape& in, std::vector<WalkStep>& steps,
              std::vector<Crossing>& crossings) const;

  std::shared_ptr<Tower> towers_[2];
  Backend* backends_[2];
  std::int64_t classes_[2];        // of each tower
  Communicator* ranks_ = nullptr;  // where the towers live apart
};

std::string crossing_text(const std::vector<AlexNetTowers::Crossing>& crossings);  // as a table

// Copies weights between a network of alexnet() and its towers, in one direction or the other.
void split_into_towers(const Module& alexnet, AlexNetTowers& towers);
void join_towers(const AlexNetTowers& towers, Module& alexnet);

}  // namespace limulus
