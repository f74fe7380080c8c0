#include "models/alexnet.h"

#include "layers/activation.h"
#include "layers/batch_norm2d.h"
#include "layers/conv2d.h"
#include "layers/dropout.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/local_response_norm.h"
#include "layers/max_pool2d.h"

namespace limulus {
namespace {

const Pool2dOptions overlapping = {.kernel = 3, .stride = 2};  // section 3.4

// fc6 ... fc8: section 4.2 drops outputs of the two hidden layers.
void add_classifier(Sequential& net, std::int64_t features, std::int64_t classes, Backend& backend,
                    DType dtype, double dropout) {
  net.add<Flatten>("flatten")
      .add<Linear>("fc6", features, 4096, backend, dtype)
      .add<ReLU>("relu6")
      .add<Dropout>("drop6", dropout)
      .add<Linear>("fc7", 4096, 4096, backend, dtype)
      .add<ReLU>("relu7")
      .add<Dropout>("drop7", dropout)
      .add<Linear>("fc8", 4096, classes, backend, dtype);
}

Network paper_network(std::int64_t groups, std::int64_t classes, Backend& backend, DType dtype,
                      double dropout) {
  const auto conv = [&](Size2d kernel, Size2d stride, Size2d pad, std::int64_t g) {
    return Conv2dOptions{.kernel = kernel, .stride = stride, .pad = pad, .groups = g};
  };
  auto net = std::make_shared<Sequential>();
  net->add<Conv2d>("conv1", 3, 96, conv(11, 4, 0, 1), backend, dtype)
      .add<ReLU>("relu1")
      .add<LocalResponseNorm>("lrn1")
      .add<MaxPool2d>("pool1", overlapping)
      .add<Conv2d>("conv2", 96, 256, conv(5, 1, 2, groups), backend, dtype)
      .add<ReLU>("relu2")
      .add<LocalResponseNorm>("lrn2")
      .add<MaxPool2d>("pool2", overlapping)
      .add<Conv2d>("conv3", 256, 384, conv(3, 1, 1, 1), backend, dtype)
      .add<ReLU>("relu3")
      .add<Conv2d>("conv4", 384, 384, conv(3, 1, 1, groups), backend, dtype)
      .add<ReLU>("relu4")
      .add<Conv2d>("conv5", 384, 256, conv(3, 1, 1, groups), backend, dtype)
      .add<ReLU>("relu5")
      .add<MaxPool2d>("pool5", overlapping);
  add_classifier(*net, 256 * 6 * 6, classes, backend, dtype, dropout);
  return net;
}

}  // namespace

Network alexnet(std::int64_t classes, Backend& backend, DType dtype, double dropout) {
  return paper_network(2, classes, backend, dtype, dropout);
}

Network alexnet_ungrouped(std::int64_t classes, Backend& backend, DType dtype, double dropout) {
  return paper_network(1, classes, backend, dtype, dropout);
}

Network alexnet_keras(std::int64_t classes, Backend& backend, DType dtype, double dropout,
                      bool batch_norm) {
  auto net = std::make_shared<Sequential>();
  const auto conv = [&](const std::string& number, std::int64_t in, std::int64_t out,
                        const Conv2dOptions& options) {
    net->add<Conv2d>("conv" + number, in, out, options, backend, dtype);
    net->add<ReLU>("relu" + number);
  };
  const auto pool = [&](const std::string& number, std::int64_t channels) {
    net->add<MaxPool2d>("pool" + number, overlapping);
    if (batch_norm) net->add<BatchNorm2d>("norm" + number, channels, backend, dtype);
  };
  conv("1", 3, 96, {.kernel = 11, .stride = 4});  // 224 -> 54
  pool("1", 96);                                  // 26
  conv("2", 96, 256, {.kernel = 5, .pad = 2});
  pool("2", 256);  // 12
  conv("3", 256, 384, {.kernel = 3, .pad = 1});
  conv("4", 384, 384, {.kernel = 3, .pad = 1});
  conv("5", 384, 256, {.kernel = 3, .pad = 1});
  pool("5", 256);  // 5
  add_classifier(*net, 256 * 5 * 5, classes, backend, dtype, dropout);
  return net;
}

Network alexnet_torchvision(std::int64_t classes, Backend& backend, DType dtype, double dropout) {
  const auto same = [](Size2d kernel, Size2d pad) {
    return Conv2dOptions{.kernel = kernel, .pad = pad};
  };
  auto features = std::make_shared<Sequential>();
  features
      ->add<Conv2d>("0", 3, 64, Conv2dOptions{.kernel = 11, .stride = 4, .pad = 2}, backend, dtype)
      .add<ReLU>("1")
      .add<MaxPool2d>("2", overlapping)
      .add<Conv2d>("3", 64, 192, same(5, 2), backend, dtype)
      .add<ReLU>("4")
      .add<MaxPool2d>("5", overlapping)
      .add<Conv2d>("6", 192, 384, same(3, 1), backend, dtype)
      .add<ReLU>("7")
      .add<Conv2d>("8", 384, 256, same(3, 1), backend, dtype)
      .add<ReLU>("9")
      .add<Conv2d>("10", 256, 256, same(3, 1), backend, dtype)
      .add<ReLU>("11")
      .add<MaxPool2d>("12", overlapping);
  auto classifier = std::make_shared<Sequential>();
  classifier->add<Dropout>("0", dropout)
      .add<Linear>("1", 256 * 6 * 6, 4096, backend, dtype)
      .add<ReLU>("2")
      .add<Dropout>("3", dropout)
      .add<Linear>("4", 4096, 4096, backend, dtype)
      .add<ReLU>("5")
      .add<Linear>("6", 4096, classes, backend, dtype);
  auto net = std::make_shared<Sequential>();
  net->add("features", features).add<Flatten>("flatten").add("classifier", classifier);
  return net;
}

}  // namespace limulus
