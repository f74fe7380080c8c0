#include "models/lenet5.h"

#include "layers/avg_pool2d.h"
#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/max_pool2d.h"

namespace limulus {

std::shared_ptr<Sequential> lenet5(std::int64_t classes, Backend& backend, DType dtype,
                                   Nonlinearity nonlinearity) {
  const bool modern = nonlinearity == Nonlinearity::relu;
  auto net = std::make_shared<Sequential>();
  const auto act = [&](const char* number) { add_nonlinearity(*net, nonlinearity, number); };
  const auto pool = [&](const std::string& number) {
    const Pool2dOptions two = {.kernel = 2};
    if (modern)
      net->add<MaxPool2d>("pool" + number, two);
    else
      net->add<AvgPool2d>("pool" + number, two);
  };
  net->add<Conv2d>("conv1", 1, 6, Conv2dOptions{.kernel = 5, .pad = 2}, backend, dtype);
  act("1");
  pool("1");
  net->add<Conv2d>("conv2", 6, 16, Conv2dOptions{.kernel = 5}, backend, dtype);
  act("2");
  pool("2");
  net->add<Flatten>("flatten").add<Linear>("fc3", 16 * 5 * 5, 120, backend, dtype);
  act("3");
  net->add<Linear>("fc4", 120, 84, backend, dtype);
  act("4");
  net->add<Linear>("fc5", 84, classes, backend, dtype);
  return net;
}

}  // namespace limulus
