#include "tools/convert_onnx.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/amounts.h"
#include "core/error.h"
#include "core/printable.h"
#include "models/onnx_export.h"
#include "tools/terminal.h"
#include "training/trained_model.h"

namespace limulus::tools {
namespace {

using Metadata = nlohmann::ordered_json;

// How a picture becomes the input, in words and as numbers: the file computes logits of that.
std::string preprocessing_of(const TrainedModel& t) {
  const Prepare& p = t.config.prepare;
  const int side = t.config.augment.crop;
  std::string text = "RGB, 0 to 255";
  if (p.short_side > 0) text += fmt::format("; shorter side to {} pixels", p.short_side);
  if (p.square) text += "; middle square";
  if (p.pad > 0) text += fmt::format("; {} black pixels around", p.pad);
  text += fmt::format("; middle {} x {}", side, side);
  if (t.config.augment.channels == 1) text += "; grey";
  return text + fmt::format("; (pixel - {}) * scale; as [N, C, H, W]",
                            t.normalization.mean_image.empty() ? "mean" : "mean_image");
}

std::string normalization_of(const TrainedModel& t) {
  const Normalization& n = t.normalization;
  Metadata j = {{"mean", n.mean}, {"scale", n.scale}};
  if (!n.mean_image.empty()) {
    j["mean_image_side"] = n.mean_side;
    j["mean_image"] = n.mean_image;
  }
  return j.dump();
}

}  // namespace

void convert_to_onnx(const std::string& checkpoint, const std::string& to) {
  const TrainedModel t = load_trained(checkpoint, "reference");
  const int side = t.config.augment.crop;
  OnnxModel model = to_onnx(*t.model, {t.config.augment.channels, side, side},
                            {{"limulus", LIMULUS_VERSION},
                             {"model", t.config.model},
                             {"classes", Metadata(t.classes).dump()},
                             {"preprocessing", preprocessing_of(t)},
                             {"normalization", normalization_of(t)}});
  model.producer_version = LIMULUS_VERSION;
  model.name = t.config.model;
  std::error_code unknown;
  const bool replaced = std::filesystem::exists(to, unknown);
  write_onnx(to, model);
  if (replaced) say_note(fmt::format("{} was there before; it was replaced", printable(to)));
  std::int64_t numbers = 0;
  for (const auto& [name, w] : model.initializers) numbers += w.numel();
  fmt::print("{} nodes and {} numbers of {} from {} to {}, as ONNX of opset {}\n",
             model.nodes.size(), with_thousands(numbers), printable(t.config.model),
             printable(checkpoint), printable(to), model.opset);
}

}  // namespace limulus::tools
