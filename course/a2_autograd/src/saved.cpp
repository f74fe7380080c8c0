// 2.5 Values that backward needs
#include "engine.h"

namespace course {

Saved::Saved(const TensorNode* node) : node_(node), version_(0) {
  // BEGIN SOLUTION 2.5
  version_ = node->version;
  // END SOLUTION
}

const Tensor& Saved::get() const {
  // BEGIN SOLUTION 2.5
  if (node_->version != version_) throw StaleValue();
  return node_->value;
  // END SOLUTION
}

void add_in_place(TensorNode* x, const Tensor& amount) {
  // BEGIN SOLUTION 2.5
  for (std::size_t i = 0; i < amount.values.size(); ++i) x->value.values[i] += amount.values[i];
  ++x->version;
  // END SOLUTION
}

}  // namespace course
