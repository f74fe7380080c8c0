// 07 What local response normalization does
//
// AlexNet's LRN divides each value by a measure of how loud its neighbours are:
//
//     y_i = x_i / (k + alpha * sum over j near i of x_j^2)^beta
//
// The paper has k = 2, alpha = 1e-4, beta = 3/4, and takes 5 neighbours across
// channels: other filters at the same place. Another kind takes 5 x 5 places
// within a channel. Here both are seen at work on a photograph.
//
//     example_07_lrn            the numbers
//     example_07_lrn OUT.png    and the picture, described at the end
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <numeric>

#include "backends/registry.h"
#include "core/algebra.h"
#include "formats/atomic_file.h"
#include "formats/read_file.h"
#include "layers/activation.h"
#include "layers/conv2d.h"
#include "layers/local_response_norm.h"
#include "pages/image_encode.h"
#include "training/data/image.h"
#include "training/data/resize.h"

using namespace limulus;

const int kAngles = 16;

// ---- Sixteen filters ----
//
// A filter of a trained conv1 often is a stripe at some angle. These are 16 of
// 11x11, each a little further round than its neighbour, all seeing grey (the
// same for red, green and blue): a wave across the angle, fading outwards. The
// mean of each is 0, so that a uniform area gives 0.
Tensor stripes() {
  std::vector<float> w;
  for (int k = 0; k < kAngles; ++k) {
    const double angle = std::numbers::pi * k / kAngles;
    for (int i = 0; i < 3 * 121; ++i) {
      const double x = i % 11 - 5, y = i / 11 % 11 - 5;
      const double across = x * std::cos(angle) + y * std::sin(angle);
      const double fade = std::exp(-(x * x + y * y) / 12);
      w.push_back(static_cast<float>(fade * std::sin(across * 0.9) / 12));
    }
  }
  return Tensor::from(w, {kAngles, 3, 11, 11}, device("cpu"));
}

// The photograph as [1, 3, 227, 227], pixels from 0 to 255 less 128, as large
// as the paper's: alpha belongs to numbers of that size.
Tensor photograph(const Image& image) {
  std::vector<float> values;
  for (int c = 0; c < 3; ++c)
    for (int i = 0; i < 227 * 227; ++i)
      values.push_back(image.rgb[3 * i + c] - 128.F);
  return Tensor::from(values, {1, 3, 227, 227}, device("cpu"));
}

// ---- Two measures ----
//
// Contrast is the share of the sum that comes from the largest tenth of the
// values. LRN lowers it: weak answers become visible. Choice is the share that
// comes from the strongest of the 16 filters at each place. It hardly changes,
// since neighbours share most of their divisor.
void measure(const char* name, const Tensor& y) {  // [1, 16, 55, 55]
  std::vector<double> values = y.to_doubles();
  std::sort(values.rbegin(), values.rend());
  const auto tenth = values.begin() + y.numel() / 10;
  const double all = std::accumulate(values.begin(), values.end(), 0.0);
  std::printf("  %-16s largest %6.1f   contrast %2.0f %%   choice %2.0f %%\n",
              name, values[0],
              100 * std::accumulate(values.begin(), tenth, 0.0) / all,
              100 * sum(amax(y, 1)).item() / all);
}

int main(int argc, char** argv) {
  const LrnOptions across;
  const LrnOptions within{.region = LrnRegion::within_channel};

  // ---- One value ----
  //
  // x alone, and x among four neighbours as loud as it. Alone, by hand for 100:
  // 2 + 1e-4 * 10000 = 3, and 100 / 3^0.75 = 43.9. Beyond sqrt(2 k / alpha) =
  // 200 a louder x gives less: whoever shouts damps himself.
  std::printf("      x   alone   among five\n");
  for (const double x : {10, 50, 100, 200, 400, 800}) {
    Tensor five = Tensor::full({1, 5, 1, 1}, x, DType::f32, device("cpu"));
    const double among = local_response_norm(five, across).to_doubles()[2];
    const Tensor one = Tensor::full({1, 1, 1, 1}, x, DType::f32, device("cpu"));
    std::printf("  %5.0f  %6.1f   %6.1f\n", x,
                local_response_norm(one, across).item(), among);
  }

  // ---- A photograph ----
  //
  // conv1's sizes: floor((227 - 11)/4) + 1 = 55. A daisy with a fly, cropped
  // to the middle; by stanze (Flickr), CC BY 2.0.
  const char* const file =
      "data/flowers5/test/daisy/18442919723_d1251d3e14_n.jpg";
  const Image image =
      crop(decode_image(read_file(file), file), 14, 14, 227, 227);
  const Tensor x =
      relu(conv2d(photograph(image), stripes(), {}, {.stride = 4}));
  const Tensor maps[] = {x, local_response_norm(x, across),
                         local_response_norm(x, within)};
  std::printf("\n");
  measure("before", maps[0]);
  measure("across channels", maps[1]);
  measure("within channels", maps[2]);

  // ---- The picture ----
  //
  // The photograph, then the maps of every fourth filter: before, normalized
  // across and within. White is the largest value of a row. The first map is
  // the loudest of the second row: filter 0 has no neighbours to its left.
  //
  // ![Maps of four filters before and after LRN](pictures/07_lrn.png)
  if (argc < 2) return 0;
  const int side = 165, step = side + 3;
  const Image small = resize(image, side, side);
  Image out{5 * step - 3, 3 * step - 3, {}};
  out.rgb.assign(std::size_t{3} * out.width * out.height, 128);
  for (int row = 0; row < 3; ++row) {
    const std::vector<double> y = maps[row].to_doubles();
    const double largest = *std::max_element(y.begin(), y.end());
    for (int i = 0; i < 5 * side * side; ++i) {
      const int column = i / (side * side), v = i / side % side, h = i % side;
      std::uint8_t* to = out.pixel(column * step + h, row * step + v);
      const int place = (4 * (column - 1) * 55 + v / 3) * 55 + h / 3;
      if (column > 0)
        std::fill_n(to, 3, static_cast<std::uint8_t>(255 * y[place] / largest));
      else if (row == 0)
        std::copy_n(small.pixel(h, v), 3, to);
    }
  }
  const auto png = encode_png(out);
  write_file_atomically(argv[1], {(const char*)png.data(), png.size()});
}
