#pragma once
// LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998), for handwritten digits: 1x28x28, 61,706 parameters
// with 10 classes.
//
//   conv1 6 of 5x5, padding 2   28      the original takes 32x32; padding 2 makes MNIST's 28 that
//   pool1                       14
//   conv2 16 of 5x5             10      sees all 6 maps; the original's table leaves some out
//   pool2                        5
//   fc3 120, fc4 84, fc5 classes
//
// With ReLU (the default) pooling takes the maximum; otherwise it averages, as in 1998.
#include <memory>

#include "models/nonlinearity.h"

namespace limulus {

std::shared_ptr<Sequential> lenet5(std::int64_t classes, Backend& backend, DType dtype = DType::f32,
                                   Nonlinearity nonlinearity = Nonlinearity::relu);

}  // namespace limulus
