#pragma once
// Images through a trained network: one image, or a set; with one crop, or with ten.
#include <atomic>
#include <memory>
#include <vector>

#include "core/error.h"
#include "training/data/image_cache.h"
#include "training/records.h"
#include "training/trained_model.h"

namespace limulus {

// Probabilities [classes] of one image: softmax of the logits, averaged over ten crops if asked.
std::vector<float> classify(const TrainedModel& trained, const Image& image, bool ten_crop);

struct Stopped : Error {  // an evaluation was broken off, as TrainerOptions::stop was set
  using Error::Error;
};

class EvalMode {  // a module's training mode is put back at the end of the block
 public:
  explicit EvalMode(Module& m) : module_(m), was_training_(m.training()) { m.eval(); }
  ~EvalMode() { module_.train(was_training_); }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  Module& module_;
  bool was_training_;
};

// Runs a set through a network, and counts and lists the images that cannot be used; with
// config.strict the first of them is a FileError. `worst` is how many mistakes to keep. Throws
// Stopped, after the batch in work, when `stop` is set.
Evaluation evaluate_set(Module& model, Backend& backend, const TrainConfig& config,
                        const Normalization& normalization,
                        const std::shared_ptr<ImageCache>& images, std::int64_t classes,
                        bool ten_crop, int worst, int workers,
                        const std::atomic<bool>* stop = nullptr);

}  // namespace limulus
