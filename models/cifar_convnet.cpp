#include "models/cifar_convnet.h"

#include "layers/avg_pool2d.h"
#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"

namespace limulus {

std::shared_ptr<Sequential> cifar_convnet(std::int64_t classes, Backend& backend, DType dtype,
                                          Nonlinearity nonlinearity) {
  const Conv2dOptions five = {.kernel = 5, .pad = 2};
  // The ragged last window is divided by the values it has, not by 9.
  const Pool2dOptions three = {.kernel = 3, .stride = 2, .ceil = true, .count_include_pad = false};
  auto net = std::make_shared<Sequential>();
  const auto act = [&](const char* number) { add_nonlinearity(*net, nonlinearity, number); };
  net->add<Conv2d>("conv1", 3, 32, five, backend, dtype);
  act("1");
  net->add<MaxPool2d>("pool1", three).add<Conv2d>("conv2", 32, 32, five, backend, dtype);
  act("2");
  net->add<AvgPool2d>("pool2", three).add<Conv2d>("conv3", 32, 64, five, backend, dtype);
  act("3");
  net->add<AvgPool2d>("pool3", three)
      .add<Flatten>("flatten")
      .add<Linear>("fc4", 64 * 4 * 4, classes, backend, dtype);
  return net;
}

}  // namespace limulus
