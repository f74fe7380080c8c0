// A write to nowhere.
#include "convolution.h"

namespace course {

void conv2d_forward(const ConvShape&, In, In, In, Out) {
  volatile int* nowhere = nullptr;
  *nowhere = 1;
}

}  // namespace course
