// limulus convert: weights between a checkpoint, plain safetensors and a folder of .npy files.
#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>

#include "core/error.h"
#include "core/shape.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "tools/commands.h"

namespace limulus::tools {
namespace {

namespace fs = std::filesystem;

struct ConvertArguments {
  std::string from, to;
  bool list = false, all = false;
};

bool is_weight(const std::string& name) {
  return !name.starts_with("velocity/") && !name.starts_with("data/");
}

void list(const SafetensorsFile& file) {
  for (const SafetensorsEntry& e : file.entries())
    fmt::print("{:<40} {:<5} {}\n", e.name, e.dtype, Shape(e.shape).str());
  for (const auto& [key, value] : file.metadata())
    fmt::print("metadata {:<31} {}\n", key,
               value.size() > 200 ? value.substr(0, 200) + " ..." : value);
}

// Entries point into a mapped file at any address; the writers want them in memory of their type.
std::vector<NpyArray> load_safetensors(const SafetensorsFile& file, bool all,
                                       std::vector<std::string>* names) {
  std::vector<NpyArray> arrays;
  for (const SafetensorsEntry& e : file.entries()) {
    if (!all && !is_weight(e.name)) continue;
    NpyArray array;
    array.shape = e.shape;
    if (e.dtype == "F16" || e.dtype == "BF16") {
      const std::vector<float> wide = file.to_floats(e);
      array.dtype = DType::f32;
      array.data.resize(wide.size() * sizeof(float));
      std::memcpy(array.data.data(), wide.data(), array.data.size());
    } else {
      array.dtype = file.dtype(e);
      array.data.assign(e.bytes.begin(), e.bytes.end());
    }
    arrays.push_back(std::move(array));
    names->push_back(e.name);
  }
  return arrays;
}

std::vector<NpyArray> load_folder(const fs::path& folder, std::vector<std::string>* names) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".npy") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<NpyArray> arrays;
  for (const fs::path& file : files) {
    arrays.push_back(read_npy(file));
    names->push_back(file.stem().string());
  }
  if (arrays.empty()) throw FileError(folder.string() + ": there is no .npy file in this folder");
  return arrays;
}

// A tensor's name comes from the file, and must not lead out of the folder.
fs::path npy_path(const fs::path& folder, const std::string& name) {
  const fs::path relative = name + ".npy";
  for (const fs::path& part : relative)
    if (part == "..")
      throw FileError(fmt::format("convert: tensor '{}' would be written outside of {}", name,
                                  folder.string()));
  if (relative.is_absolute())
    throw FileError(
        fmt::format("convert: tensor '{}' would be written outside of {}", name, folder.string()));
  return folder / relative;
}

void convert(const ConvertArguments& a) {
  const bool from_folder = fs::is_directory(a.from);
  if (a.list) return list(SafetensorsFile(a.from));
  if (a.to.empty())
    throw ValueError("convert: where to? Name a .safetensors file or a folder, or use --list");

  std::vector<std::string> names;
  const std::vector<NpyArray> arrays =
      from_folder ? load_folder(a.from, &names)
                  : load_safetensors(SafetensorsFile(a.from), a.all, &names);
  if (fs::path(a.to).extension() == ".safetensors") {
    std::vector<SafetensorsItem> items;
    for (std::size_t i = 0; i < arrays.size(); ++i)
      items.push_back({names[i], arrays[i].dtype, arrays[i].shape, arrays[i].data.data()});
    write_safetensors(a.to, std::move(items));
  } else {
    fs::create_directories(a.to);
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      const fs::path file = npy_path(a.to, names[i]);
      fs::create_directories(file.parent_path());
      write_npy(file, arrays[i].dtype, arrays[i].shape, arrays[i].data.data());
    }
  }
  fmt::print("{} tensors from {} to {}\n", arrays.size(), a.from, a.to);
}

}  // namespace

void add_convert(CLI::App& app) {
  auto a = std::make_shared<ConvertArguments>();
  CLI::App* c = app.add_subcommand("convert", "Weights: checkpoint, safetensors, folder of .npy");
  c->footer(
      "Example: limulus convert runs/alexnet/checkpoint.safetensors weights.safetensors\n"
      "         limulus convert weights.safetensors weights_npy\n"
      "         limulus convert runs/alexnet/checkpoint.safetensors --list");
  c->add_option("from", a->from, "A .safetensors file or a folder of .npy files")
      ->required()
      ->check(CLI::ExistingPath);
  c->add_option("to", a->to, "A .safetensors file, or a folder for .npy files");
  c->add_flag("--all", a->all, "Velocities and the data's mean too, not only weights");
  c->add_flag("--list", a->list, "List the tensors of a .safetensors file");
  c->callback([a] { convert(*a); });
}

}  // namespace limulus::tools
