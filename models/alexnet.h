#pragma once
// AlexNet (Krizhevsky, Sutskever, Hinton: "ImageNet Classification with Deep Convolutional Neural
// Networks", 2012), and what others made of it. All take images of three channels and give one
// logit per class.
//
//   function              input  parameters   what differs
//   alexnet               227    60,965,224   the paper's: conv2, conv4 and conv5 in two groups
//   alexnet_ungrouped     227    62,378,344   every convolution sees all channels
//   alexnet_towers        227    60,965,224   the paper's two halves, each on a device of its own;
//                                             the same function (models/alexnet_towers.h)
//   alexnet_keras         224    46,816,657   of Keras tutorials: 17 flowers, 'valid' and 'same'
//   alexnet_torchvision   224    61,100,840   64-192-384-256-256 (Krizhevsky 2014), padding 2
//
// The paper prints an input of 224, but (224 - 11)/4 + 1 is 54.25, and its 55 needs 227.
#include <memory>

#include "layers/module.h"

namespace limulus {

using Network = std::shared_ptr<Sequential>;

// Layers: conv1 relu1 lrn1 pool1 conv2 ... pool5 flatten fc6 relu6 drop6 fc7 relu7 drop7 fc8.
Network alexnet(std::int64_t classes, Backend& backend, DType dtype = DType::f32,
                double dropout = 0.5);
Network alexnet_ungrouped(std::int64_t classes, Backend& backend, DType dtype = DType::f32,
                          double dropout = 0.5);

// 54 -> 26 -> 12 -> 5: conv1 and pooling without padding, the other convolutions keep the size
// ("same"); no local response normalization. With batch_norm: after each of the three poolings,
// which adds 1,216 parameters.
Network alexnet_keras(std::int64_t classes, Backend& backend, DType dtype = DType::f32,
                      double dropout = 0.5, bool batch_norm = false);

// torchvision's names ("features.0", "classifier.6"), so that its weights load; dropout stands
// before fc6 and fc7, and there is no normalization. torchvision averages to 6x6 before the
// classifier, which changes nothing at an input of 224 and is left out.
Network alexnet_torchvision(std::int64_t classes, Backend& backend, DType dtype = DType::f32,
                            double dropout = 0.5);

}  // namespace limulus
