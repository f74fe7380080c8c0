// 8.6 Two towers, forward and back
#include "towers.h"

#include "machines.h"

namespace course {

void towers_forward(Rank& me, const Tower& weights, In picture, Kept& kept, Out logits) {
  // BEGIN SOLUTION 8.6
  if (me.index() == 0) std::copy(picture.begin(), picture.end(), kept.picture.begin());
  broadcast(me, kept.picture);
  conv(weights.w1, weights.b1, 8, kept.picture, kept.conv1);
  relu(kept.conv1);
  exchange(me, kReach, 64, kept.conv1, kept.seen1);
  normalize(me.index() == 0 ? 0 : kReach, 64, kept.seen1, kept.norm1);
  pool(8, kept.norm1, kept.pool1);
  conv(weights.w2, weights.b2, 4, kept.pool1, kept.conv2);
  relu(kept.conv2);
  exchange(me, 4, 16, kept.conv2, kept.seen2);
  conv(weights.w3, weights.b3, 4, kept.seen2, kept.conv3);
  relu(kept.conv3);
  pool(4, kept.conv3, kept.pool3);
  exchange(me, 6, 4, kept.pool3, kept.seen3);
  linear(weights.w4, weights.b4, kept.seen3, kept.fc4);
  if (me.index() == 1) return me.send(0, kept.fc4);
  std::copy(kept.fc4.begin(), kept.fc4.end(), logits.begin());
  me.receive(1, logits.last(5));
  // END SOLUTION
}

void towers_backward(Rank& me, const Tower& weights, const Kept& kept, In dlogits,
                     Tower& gradients) {
  // BEGIN SOLUTION 8.6
  Floats dfc4(5), dseen3(48), dpool3(24), dconv3(6 * 16), dseen2(8 * 16), dconv2(4 * 16);
  Floats dpool1(4 * 16), dnorm1(4 * 64), dseen1(6 * 64), dconv1(4 * 64), dpicture(3 * 64);
  if (me.index() == 0) {
    me.send(1, dlogits.last(5));
    std::copy(dlogits.begin(), dlogits.begin() + 5, dfc4.begin());
  } else {
    me.receive(0, dfc4);
  }
  linear_backward(weights.w4, kept.seen3, dfc4, gradients.w4, gradients.b4, dseen3);
  exchange_backward(me, 6, 4, dseen3, dpool3);
  pool_backward(4, kept.conv3, dpool3, dconv3);
  relu_backward(kept.conv3, dconv3);
  conv_backward(weights.w3, 4, kept.seen2, dconv3, gradients.w3, gradients.b3, dseen2);
  exchange_backward(me, 4, 16, dseen2, dconv2);
  relu_backward(kept.conv2, dconv2);
  conv_backward(weights.w2, 4, kept.pool1, dconv2, gradients.w2, gradients.b2, dpool1);
  pool_backward(8, kept.norm1, dpool1, dnorm1);
  normalize_backward(me.index() == 0 ? 0 : kReach, 64, kept.seen1, dnorm1, dseen1);
  exchange_backward(me, kReach, 64, dseen1, dconv1);
  relu_backward(kept.conv1, dconv1);
  conv_backward(weights.w1, 8, kept.picture, dconv1, gradients.w1, gradients.b1, dpicture);
  // END SOLUTION
}

}  // namespace course
