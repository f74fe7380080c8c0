// limulus import: weights that were trained elsewhere, as a checkpoint.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <memory>
#include <system_error>
#include <vector>

#include "core/amounts.h"
#include "core/error.h"
#include "core/printable.h"
#include "tools/commands.h"
#include "tools/terminal.h"
#include "tools/usage.h"
#include "tools/writable.h"
#include "training/data/class_names.h"
#include "training/import_weights.h"

namespace limulus::tools {
namespace {

namespace fs = std::filesystem;

struct ImportArguments {
  std::string weights, model, classes, normalization, out;
  std::vector<double> mean, std;
};

std::array<double, 3> for_colours(const char* option, const std::vector<double>& values) {
  if (values.size() == 1) return {values[0], values[0], values[0]};
  if (values.size() == 3) return {values[0], values[1], values[2]};
  throw ValueError(fmt::format("import {}: {} numbers; give three, or one for all colours", option,
                               values.size()));
}

PixelScaling scaling_of(const CLI::App& command, const ImportArguments& a) {
  if (a.normalization.empty() && a.mean.empty() && a.std.empty())
    throw usage_error(
        command, fmt::format("what did its training do to a pixel p? --normalization takes {}; "
                             "or give --mean and --std of pixels in [0, 1]",
                             fmt::join(pixel_scalings(), ", ")));
  PixelScaling pixels;
  if (!a.normalization.empty()) pixels = pixel_scaling(a.normalization);
  if (!a.mean.empty()) pixels.mean = for_colours("--mean", a.mean);
  if (!a.std.empty()) pixels.std = for_colours("--std", a.std);
  return pixels;
}

void import_file(const CLI::App& command, const ImportArguments& a) {
  ImportOptions options;
  options.model = a.model;
  options.class_file = a.classes;
  options.pixels = scaling_of(command, a);
  std::error_code unknown;
  for (const std::string& read : {a.weights, a.classes})
    if (fs::equivalent(read, a.out, unknown))
      throw ValueError(
          fmt::format("import: {} would be replaced by what is made from it; choose "
                      "another name",
                      printable(a.out)));
  check_writable(a.out);
  const bool replaced = fs::exists(a.out, unknown);
  const Imported done = import_weights(a.weights, options, a.out);
  if (replaced) say_note(fmt::format("{} was there before; it was replaced", printable(a.out)));
  for (const std::string& name : done.ignored)
    say_note(fmt::format("{} was left out: Limulus does not use it", printable(name)));
  const auto& [mean, std] = options.pixels;
  fmt::print("Weights     {} tensors, {} numbers, from {} ({}{}{})\n", done.tensors,
             with_thousands(done.numbers), printable(a.weights), done.kind,
             done.conversions.empty() ? "" : "; ", fmt::join(done.conversions, "; "));
  fmt::print("Network     {}\n", a.model);
  fmt::print("Classes     {}: {}\n", with_thousands(std::ssize(done.classes)),
             printable(names_text(done.classes, 5)));
  fmt::print("Pixels      (p - mean) / std of p in [0, 1]: mean {}, std {}; {}the middle {} x {}\n",
             fmt::join(mean, ", "), fmt::join(std, ", "),
             done.short_side > 0 ? fmt::format("shorter side {}, ", done.short_side) : "",
             done.crop, done.crop);
  fmt::print("Checkpoint  {} ({:.1f} MB)\n", printable(a.out),
             static_cast<double>(fs::file_size(a.out)) / 1e6);
}

}  // namespace

void add_import(CLI::App& app) {
  auto a = std::make_shared<ImportArguments>();
  CLI::App* c =
      app.add_subcommand("import", "A checkpoint from weights that were trained elsewhere");
  c->footer(
      "Weights are read from safetensors, under the names that PyTorch gives them. docs/weights.md "
      "has the lines that make\nsuch a file, and fetch those of torchvision's AlexNet.\n\n"
      "Example: limulus import alexnet.safetensors --model alexnet-torchvision --classes "
      "imagenet.txt \\\n             --normalization imagenet -o imagenet.safetensors");
  c->add_option("weights", a->weights, "A .safetensors file")->required();
  c->add_option("--model", a->model, "Network (limulus explain --list), or an .onnx file with one")
      ->required();
  c->add_option("--classes", a->classes,
                "A text file: the name of a class on each line, in the order of the outputs")
      ->required();
  CLI::Option* normalization = c->add_option(
      "--normalization", a->normalization,
      "What the training did to a pixel p in [0, 1]: imagenet (torchvision's mean and standard "
      "deviation), unit (nothing), half ((p - 0.5) / 0.5)");
  normalization->check(one_of(pixel_scalings()));
  c->add_option("--mean", a->mean, "Or this mean was subtracted: one number, or R,G,B")
      ->delimiter(',')
      ->allow_extra_args(false)  // the next word is no number of it
      ->excludes(normalization);
  c->add_option("--std", a->std, "And it was divided by this: one number, or R,G,B")
      ->delimiter(',')
      ->allow_extra_args(false)  // the next word is no number of it
      ->excludes(normalization);
  c->add_option("-o,--out", a->out, "The checkpoint")->required();
  c->callback([a, c] { import_file(*c, *a); });
}

}  // namespace limulus::tools
