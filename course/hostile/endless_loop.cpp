// An endless loop.
#include "convolution.h"

namespace course {

void conv2d_forward(const ConvShape&, In, In, In, Out) {
  volatile bool go = true;
  while (go) {
  }
}

}  // namespace course
