#pragma once
// Checkpoints: everything that a run needs to go on as if it had never stopped, in one safetensors
// file.
//
//     conv1.weight ...              parameters and buffers, under the names of the network
//     velocity/conv1.weight ...     the optimizer's velocities
//     data/mean, data/pca           what is subtracted from images, and the colour noise's axes
//     history/step_losses           the loss of each step [steps]
//     history/epochs                a row per epoch [epochs, 10]
//     __metadata__                  "limulus" = the format's version; "config", "state" ... as JSON
//
// The history grows with the run, but a header must not: readers accept 100 MB at most. So it is
// stored as tensors. (In checkpoints of earlier versions it is in "state", and is read from there.)
//
// The random state is (seed, step): Philox needs no more. Files are written beside the old one,
// synced and renamed; the one before is kept as `.previous`.
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "layers/module.h"

namespace limulus {

class Sgd;

struct Checkpoint {
  std::map<std::string, std::string> metadata;  // "config", "state" ...
  std::vector<NamedTensor> extra;               // "data/mean" ...
};

void save_checkpoint(const std::filesystem::path& path, const Module& model, const Sgd& optimizer,
                     const Checkpoint& rest);

// Parameters and buffers of a network, in order: what a file of weights has of it.
std::vector<NamedTensor> state_of(const Module& model);
// The layers that have parameters, in order: "conv1", "conv2" ...
std::vector<std::string> layers_with_weights(const Module& model);

// Whether a tensor of this name is the network's: not a velocity, nor of the data or the history.
bool belongs_to_model(const std::string& name);
bool is_velocity(const std::string& name);
// "tower0.conv2" of "tower0.conv2.weight".
std::string layer_of(const std::string& parameter);

// Copies the file's values into the parameters and buffers of `model`. FileError, and nothing is
// changed, when a name is missing or unknown, a shape or type differs, or a value is not finite. If
// the file has no parameters under the network's names, the error says what both sides have. Layers
// in `left_out` ("fc6") keep their values, and the file must have nothing of them. With `in_place`,
// weights are used where they lie in the mapped file, if the device computes in host memory: a
// program that looks at one picture and ends never copies 244 MB. To a device with memory of its
// own they are copied once.
void load_weights(const SafetensorsFile& file, Module& model, bool in_place = false,
                  const std::vector<std::string>& left_out = {});

// The same for velocities; call load_weights() first.
void load_velocities(const SafetensorsFile& file, Sgd& optimizer);

// One tensor that is neither, f32 or f64, in host order; undefined when the file has none.
Tensor load_tensor(const SafetensorsFile& file, const std::string& name, Backend& backend);

}  // namespace limulus
