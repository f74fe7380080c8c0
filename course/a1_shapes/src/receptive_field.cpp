// 1.5 What an output can see
#include "shapes.h"

namespace course {

ReceptiveField receptive_field(const std::vector<Window>& layers) {
  // BEGIN SOLUTION 1.5
  ReceptiveField field;
  for (const Window& w : layers) {
    field.start -= w.pad * field.jump;
    field.size += w.dilation * (w.kernel - 1) * field.jump;
    field.jump *= w.stride;
  }
  return field;
  // END SOLUTION
}

}  // namespace course
