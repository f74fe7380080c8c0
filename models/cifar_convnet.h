#pragma once
// A four-layer network for CIFAR-10's 3x32x32 images, of the kind with which the AlexNet paper
// shows (figure 1) that ReLU learns several times faster than tanh: build it with each and race
// them. 89,578 parameters with 10 classes.
//
//   conv1 32 of 5x5, padding 2   32
//   pool1 3, stride 2, maximum   16     rounded up (ceil), as cuda-convnet does: floor gives 15
//   conv2 32 of 5x5, padding 2   16
//   pool2 3, stride 2, mean       8
//   conv3 64 of 5x5, padding 2    8
//   pool3 3, stride 2, mean       4
//   fc4   1024 -> classes
#include <memory>

#include "models/nonlinearity.h"

namespace limulus {

std::shared_ptr<Sequential> cifar_convnet(std::int64_t classes, Backend& backend,
                                          DType dtype = DType::f32,
                                          Nonlinearity nonlinearity = Nonlinearity::relu);

}  // namespace limulus
