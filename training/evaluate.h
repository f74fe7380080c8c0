#pragma once
// Images through a trained network: one image, or a set; with one crop, or with ten.
#include <atomic>
#include <cstdint>
#include <functional>
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

struct EvaluationWatch {
  const std::atomic<bool>* stop = nullptr;  // set: ends after the batch in work
  bool keep_partial =
      false;  // then: the result so far, Evaluation::partial; else Stopped is thrown
  std::function<void(std::int64_t done, std::int64_t all)> on_images = {};  // after each batch
};

// Runs a set through a network, and counts and lists the images that cannot be used; with
// config.strict the first of them is a FileError. `worst` is how many mistakes to keep.
Evaluation evaluate_set(Module& model, Backend& backend, const TrainConfig& config,
                        const Normalization& normalization,
                        const std::shared_ptr<ImageCache>& images, std::int64_t classes,
                        bool ten_crop, int worst, int workers, const EvaluationWatch& watch = {});

}  // namespace limulus
