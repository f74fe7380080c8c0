#pragma once
// The training photographs that a network finds most like a photograph (section 6.1 of the paper):
// those whose values in its last hidden layer are nearest, by Euclidean distance.
//
//     d(a, b) = sqrt( sum over i of (a_i - b_i)^2 ),   a: the activities there, 4,096 in AlexNet
//
// Two photographs that are far apart pixel by pixel, a red rose from the side and one from above,
// can be near to each other there.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "training/data/image_cache.h"
#include "training/trained_model.h"

namespace limulus {

// The output of the last hidden layer: everything that the last fully connected layer is given. It
// comes from fc7 and its ReLU in AlexNet, from fc4 in LeNet-5. cifar-convnet has no hidden fully
// connected layer; there it is what the last pooling layer gives.
struct HiddenLayer {
  std::string name;        // "fc7": the layer that made the values, passing over ReLU and dropout
  std::int64_t width = 0;  // how many values
};
HiddenLayer last_hidden(const TrainedModel& trained);

// Its values [width] for one photograph. The network is shown the middle of it, as in
// evaluation.
std::vector<float> hidden_values(const TrainedModel& trained, const Image& photograph);

// ... and for a set.
struct HiddenValues {
  HiddenLayer layer;
  std::shared_ptr<ImageCache> images;
  std::vector<std::int64_t>
      sources;                // which image of the set; those that cannot be used are left out
  std::vector<float> values;  // [sources.size(), width]
  std::int64_t of = 0;        // how many the whole set has
  int side = 0;               // of the square that the network is shown
};

// At most `most` images of the set, evenly spaced. FileError where none of them can be used.
HiddenValues hidden_values(const TrainedModel& trained, const ImageSet& set, std::int64_t most,
                           int workers = 1);

struct Neighbour {
  std::int64_t image = 0;  // of the set
  std::int64_t label = 0;
  double distance = 0;
  std::string name;  // its file
  Image picture;     // the square that the network is shown; empty where it can no longer be read
};

struct Neighbours {
  std::string layer;
  std::int64_t width = 0, searched = 0,
               of = 0;             // how many training images were compared, of how many
  std::vector<Neighbour> nearest;  // the nearest first
  // Why there are none, a sentence; or "".
  std::string missing = "The training photographs were not looked at.";
  std::string note;  // what else should be known, or ""
};

// The `count` images of the set that are nearest to `values` [width]; of equal distances that with
// the smaller index first.
Neighbours nearest(const HiddenValues& set, const std::vector<float>& values, int count = 6);

}  // namespace limulus
