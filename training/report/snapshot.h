#pragma once
// What a network sees of one photograph at one moment of its training: the first convolution's
// filters, maps of the first and the last convolution, and the classes' probabilities. A forward
// pass on one picture, which changes nothing: a run has the same bits with and without it.
#include <cstdint>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "layers/module.h"
#include "pages/html.h"

namespace limulus {

struct SnapshotMaps {
  std::string layer;                   // "relu1"
  std::int64_t maps = 0, shown = 0;    // how many the layer has, and the picture shows
  std::int64_t height = 0, width = 0;  // of each
  html::Picture picture;               // side by side, each between its least value and its largest
};

struct Snapshot {
  std::string filters_size;  // "96 of 11×11×3"; "" where there is no convolution
  html::Picture filters;
  // Of the first and the last convolution, behind their nonlinearity: evenly spaced ones of their
  // maps, always the same. Only the first, where it is the last, too.
  std::vector<SnapshotMaps> maps;
  std::vector<float> probabilities;  // of all classes
};

// `input` [1, C, S, S]. The network's mode (training or not) is put back.
Snapshot take_snapshot(Module& model, const Tensor& input);

// "24 of the 96 maps of relu1, 55 × 55 each"
std::string maps_text(const SnapshotMaps& maps);

// The classes whose bars are shown: all of at most ten, else the ten likeliest.
std::vector<std::int64_t> shown_classes(const std::vector<float>& probabilities);

}  // namespace limulus
