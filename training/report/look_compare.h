#pragma once
// Two photographs in one network, or one photograph in two: the maps of each layer beside each
// other.
#include <string>

#include "training/report/look.h"

namespace limulus {

struct ComparedLook {
  const TrainedModel& trained;
  const Look& look;
  std::string name;  // of the photograph, or of the checkpoint: what differs between the two
};

// A page. The layers have to be the same, by name and size: ValueError says which are not.
std::string compare_page(const ComparedLook& a, const ComparedLook& b, const std::string& command);

// sum a_i b_i / (|a| |b|), 1 for two layers with the same values; NaN where one is all zero.
double cosine_of(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace limulus
