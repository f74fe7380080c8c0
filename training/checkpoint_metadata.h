#pragma once
// What a checkpoint says beside its tensors, and is needed wherever its network is: the names of
// the classes, how pixels become the network's input, and which images it was trained on. All are
// JSON in the metadata:
//
//     "classes"         ["daisy", "roses"]
//     "normalization"   {"mean": [r, g, b], "scale": [r, g, b], "side": s, "colour_axes": 3 rows}
//     "data"            {"train": 16 hexadecimal digits, "held_out": 16 hexadecimal digits}
//
// A mean image is a tensor of its own, data/mean [3, side, side].
#include <cstdint>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "training/data/augment.h"

namespace limulus {

struct Checkpoint;

// fingerprint() of the images that a network is trained on, and of those held out; 0: not known.
struct Fingerprints {
  std::uint64_t train = 0, held_out = 0;
};

// Adds them to the metadata, and the mean image to the tensors, if there is one.
void put_classes(const std::vector<std::string>& classes, Checkpoint* to);
void put_normalization(const Normalization& normalization, Checkpoint* to);
void put_fingerprints(const Fingerprints& prints, Checkpoint* to);

// To be called in reading() (reading_checkpoint.h), which names the file: ValueError or a JSON
// exception if something is not what it should be.
std::vector<std::string> parse_classes(const std::string& json);
Normalization parse_normalization(const std::string& json);  // of a mean colour and a scale
std::vector<std::string> read_classes(const SafetensorsFile& file);
Normalization read_normalization(const SafetensorsFile& file);
Fingerprints read_fingerprints(const SafetensorsFile& file);  // an early version wrote none

}  // namespace limulus
