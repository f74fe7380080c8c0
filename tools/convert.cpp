// limulus convert: weights between a checkpoint, plain safetensors and a folder of .npy files; and
// a checkpoint's network as ONNX.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string_view>

#include "core/amounts.h"
#include "core/error.h"
#include "core/printable.h"
#include "core/shape.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "tools/commands.h"
#include "tools/convert_onnx.h"
#include "tools/terminal.h"
#include "training/checkpoint.h"
#include "training/convolutions.h"
#include "training/data/class_names.h"
#include "training/slim.h"

namespace limulus::tools {
namespace {

namespace fs = std::filesystem;

struct ConvertArguments {
  std::string from, to;
  bool list = false, all = false, convolutions = false, bf16 = false, slim = false;
};

std::string beginning_of(const std::string& text) {
  std::size_t shown = std::min<std::size_t>(text.size(), 200);
  while (shown < text.size() && shown > 0 && (text[shown] & 0xC0) == 0x80)
    --shown;  // whole letters
  return printable(text.substr(0, shown)) + (shown < text.size() ? " ..." : "");
}

void list(const SafetensorsFile& file) {
  for (const SafetensorsEntry& e : file.entries())
    fmt::print("{:<40} {:<5} {}\n", printable(e.name), e.dtype, Shape(e.shape).str());
  for (const auto& [key, value] : file.metadata())
    fmt::print("metadata {:<31} {}\n", printable(key), beginning_of(value));
}

// Entries point into a mapped file at any address; the writers want them in memory of their type.
std::vector<NpyArray> load_safetensors(const SafetensorsFile& file, bool all,
                                       std::vector<std::string>* names) {
  std::vector<NpyArray> arrays;
  for (const SafetensorsEntry& e : file.entries()) {
    if (!all && !belongs_to_model(e.name)) continue;
    NpyArray array;
    array.shape = e.shape;
    if (e.dtype == "F16" || e.dtype == "BF16") {
      const std::vector<float> wide = file.to_floats(e);
      array.dtype = DType::f32;
      array.data.resize(wide.size() * sizeof(float));
      if (!wide.empty()) std::memcpy(array.data.data(), wide.data(), array.data.size());
    } else {
      array.dtype = file.dtype(e);
      array.data.assign(e.bytes.begin(), e.bytes.end());
    }
    arrays.push_back(std::move(array));
    names->push_back(e.name);
  }
  return arrays;
}

// A tensor whose name has a "/" lies in a folder within the folder.
std::vector<fs::path> npy_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".npy" && !entry.is_directory()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<NpyArray> load_folder(const fs::path& folder, std::vector<std::string>* names) {
  std::vector<NpyArray> arrays;
  for (const fs::path& file : npy_files(folder)) {
    arrays.push_back(read_npy(file));
    names->push_back(file.lexically_relative(folder).replace_extension().generic_string());
  }
  if (arrays.empty()) throw FileError(folder.string() + ": there is no .npy file in this folder");
  return arrays;
}

// ---- a file for each tensor ---------------------------------------------------------------------

// Windows takes these for devices, whatever follows behind a dot.
bool is_device_of_windows(const std::string& part) {
  std::string base = part.substr(0, part.find('.'));
  for (char& c : base) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (base.starts_with("com") || base.starts_with("lpt")) {
    const std::string number = base.substr(3);
    const bool raised = number == "\u00b9" || number == "\u00b2" || number == "\u00b3";
    return raised || (number.size() == 1 && number[0] >= '0' && number[0] <= '9');
  }
  return base == "con" || base == "prn" || base == "aux" || base == "nul" || base == "conin$" ||
         base == "conout$";
}

// Why a tensor's name cannot be a file's on every system, or "". Names come from whoever made the
// file, and may mean to lead elsewhere.
std::string unfit(const std::string& name) {
  constexpr std::size_t longest = 255 - 4;  // of a file's name, ".npy" included
  if (printable(name) != name) return "it has characters that cannot be seen";
  if (name.find_first_of("\\:*?\"<>|") != std::string::npos)
    return "it has one of \\ : * ? \" < > |";
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    if (part.empty()) return "a part of it, between slashes, is empty";
    if (part[0] == '.' || part[0] == '-') return "a part of it begins with . or -";
    if (part.back() == '.' || part.back() == ' ') return "a part of it ends with a dot or a space";
    if (is_device_of_windows(part)) return fmt::format("'{}' is a device on Windows", part);
    if (part.size() > longest) return fmt::format("it has more than {} bytes", longest);
    begin = end + 1;
  }
  return "";
}

// Where in the folder each tensor goes, if all of them can; nothing has been written before that is
// known.
std::vector<fs::path> npy_paths(const std::vector<std::string>& names) {
  // Two names that differ in capitals only, or in how an accent is composed, are one file on many
  // disks. So paths are compared without_case; what they belong to is the tensor.
  std::map<std::string, std::string> file_of, folder_of;
  std::vector<fs::path> paths;
  for (const std::string& name : names) {
    const std::string reason = unfit(name);
    if (!reason.empty())
      throw FileError(fmt::format(
          "convert: tensor '{}' cannot be a file's name: {}; to keep such names, write a "
          ".safetensors file",
          printable(name), reason));
    const std::string path = without_case(name + ".npy");
    const auto [other, is_new] = file_of.try_emplace(path, name);
    if (!is_new)
      throw FileError(fmt::format(
          "convert: tensors '{}' and '{}' would be one file on a disk that does not distinguish "
          "capital letters from small ones, or joined letters from single ones",
          other->second, name));
    for (std::size_t at = name.find('/'); at != std::string::npos; at = name.find('/', at + 1)) {
      const std::string above = name.substr(0, at + 1);
      const auto [first, is_first] = folder_of.try_emplace(without_case(name.substr(0, at)), name);
      if (!is_first && !first->second.starts_with(above))
        throw FileError(fmt::format(
            "convert: the folders of tensors '{}' and '{}' would be one on a disk that does not "
            "distinguish capital letters from small ones",
            first->second, name));
    }
    paths.emplace_back(name + ".npy");
  }
  for (const auto& [path, name] : file_of)
    if (const auto other = folder_of.find(path); other != folder_of.end())
      throw FileError(fmt::format("convert: the file of tensor '{}' would be the folder of '{}'",
                                  name, other->second));
  return paths;
}

// Whether the folder has this .npy file already. FileError when something else is there, or on the
// way: no link is followed.
bool is_replaced(const fs::path& folder, const fs::path& file) {
  fs::path above = folder;
  for (const fs::path& part : file.parent_path()) {
    above /= part;
    const fs::file_status found = fs::symlink_status(above);
    if (fs::exists(found) && !fs::is_directory(found))
      throw FileError(fmt::format("{}: exists and is not a folder", above.string()));
  }
  const fs::path path = folder / file;
  const fs::file_status status = fs::symlink_status(path);
  if (!fs::exists(status)) return false;
  constexpr std::string_view magic = "\x93NUMPY";
  std::string begin;
  if (fs::is_regular_file(status)) {
    begin.resize(magic.size());
    std::ifstream(path, std::ios::binary).read(begin.data(), std::ssize(begin));
  }
  if (begin != magic)
    throw FileError(fmt::format(
        "{}: exists and is not an .npy file; it was not touched, and nothing was written",
        path.string()));
  return true;
}

// FileError where the folder has other .npy files: who reads it would take them for tensors of the
// same network.
void check_no_others(const fs::path& folder, const std::vector<fs::path>& paths) {
  const std::set<fs::path> ours(paths.begin(), paths.end());
  std::vector<std::string> others;
  if (fs::is_directory(folder))
    for (const fs::path& file : npy_files(folder))
      if (!ours.contains(file.lexically_relative(folder))) others.push_back(file.string());
  if (!others.empty())
    throw FileError(
        fmt::format("{}: has {} .npy file{} that would be read as a part of this network, as {}; "
                    "choose another "
                    "folder, or remove {}. Nothing was written",
                    folder.string(), others.size(), others.size() == 1 ? "" : "s", others.front(),
                    others.size() == 1 ? "it" : "them"));
}

void write_folder(const fs::path& folder, const std::vector<std::string>& names,
                  const std::vector<NpyArray>& arrays) {
  const std::vector<fs::path> paths = npy_paths(names);
  std::size_t replaced = 0;
  for (const fs::path& file : paths) replaced += is_replaced(folder, file) ? 1 : 0;
  check_no_others(folder, paths);
  make_folders(folder);
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const fs::path path = folder / paths[i];
    make_folders(path.parent_path());
    write_npy(path, arrays[i].dtype, arrays[i].shape, arrays[i].data.data());
  }
  if (replaced > 0)
    say_note(fmt::format("{} of the files in {} were there before; they were replaced", replaced,
                         printable(folder.string())));
}

// A checkpoint's network with less around it.
void convert_smaller(const ConvertArguments& a) {
  if (fs::path(a.to).extension() != ".safetensors")
    throw ValueError(fmt::format("convert {}: {} must be a .safetensors file",
                                 a.slim   ? "--slim"
                                 : a.bf16 ? "--bf16"
                                          : "--convolutions",
                                 printable(a.to)));
  const bool replaced = fs::exists(a.to);
  if (!a.convolutions) {
    const Slimmed s = save_slim(a.from, a.to, a.bf16 ? DType::bf16 : DType::f32);
    if (replaced) say_note(fmt::format("{} was there before; it was replaced", printable(a.to)));
    fmt::print("{} weights from {} to {}, as {}, without velocities: {} bytes, {:.0f} % of {}\n",
               with_thousands(s.numbers), printable(a.from), printable(a.to),
               a.bf16 ? "bf16" : "f32", with_thousands(static_cast<std::int64_t>(s.bytes_after)),
               100.0 * static_cast<double>(s.bytes_after) / static_cast<double>(s.bytes_before),
               with_thousands(static_cast<std::int64_t>(s.bytes_before)));
    return;
  }
  const SavedConvolutions saved = save_convolutions(a.from, a.to);
  if (replaced) say_note(fmt::format("{} was there before; it was replaced", printable(a.to)));
  fmt::print("{} numbers of {} from {} to {}, as bf16{}{}\n", saved.numbers,
             fmt::join(saved.layers, ", "), printable(a.from), printable(a.to),
             saved.left_out.empty() ? "" : "; left out: ", fmt::join(saved.left_out, ", "));
}

void convert(const ConvertArguments& a) {
  std::error_code unknown;  // reading it says what is wrong
  const bool from_folder = fs::is_directory(a.from, unknown);
  if (fs::path(a.from).extension() == ".onnx" && !from_folder)
    throw ValueError(fmt::format(
        "convert: {} is read by --model of train, explain and bench, not here; a checkpoint that "
        "was trained from it can be converted",
        printable(a.from)));
  if (a.list) return list(SafetensorsFile(a.from));
  if (a.to.empty())
    throw ValueError("convert: where to? Name a .safetensors file or a folder, or use --list");

  if (fs::equivalent(a.from, a.to, unknown))
    throw ValueError(fmt::format(
        "convert: {} would replace what it is made from, and lose what it leaves out; choose "
        "another name",
        printable(a.to)));

  if (fs::path(a.to).extension() == ".onnx") {
    if (a.all || a.convolutions || a.bf16 || a.slim || from_folder)
      throw ValueError(fmt::format(
          "convert: {} is made from a checkpoint, with all of its weights in f32, and nothing else",
          printable(a.to)));
    return convert_to_onnx(a.from, a.to);
  }
  if (a.convolutions || a.bf16 || a.slim) return convert_smaller(a);

  std::vector<std::string> names;
  const std::vector<NpyArray> arrays =
      from_folder ? load_folder(a.from, &names)
                  : load_safetensors(SafetensorsFile(a.from), a.all, &names);
  if (fs::path(a.to).extension() == ".safetensors") {
    std::vector<SafetensorsItem> items;
    for (std::size_t i = 0; i < arrays.size(); ++i)
      items.push_back({names[i], arrays[i].dtype, arrays[i].shape, arrays[i].data.data()});
    const bool replaced = fs::exists(a.to);
    write_safetensors(a.to, std::move(items));
    if (replaced) say_note(fmt::format("{} was there before; it was replaced", printable(a.to)));
  } else {
    write_folder(a.to, names, arrays);
  }
  fmt::print("{} tensors from {} to {}\n", arrays.size(), printable(a.from), printable(a.to));
}

}  // namespace

void add_convert(CLI::App& app) {
  auto a = std::make_shared<ConvertArguments>();
  CLI::App* c =
      app.add_subcommand("convert", "Weights: checkpoint, safetensors, folder of .npy, ONNX");
  c->footer(
      "Example: limulus convert runs/alexnet/checkpoint.safetensors weights.safetensors\n"
      "         limulus convert weights.safetensors weights_npy\n"
      "         limulus convert runs/alexnet/checkpoint.safetensors --list\n"
      "         limulus convert runs/alexnet/checkpoint.safetensors eye.safetensors "
      "--convolutions\n"
      "         limulus convert runs/alexnet/checkpoint.safetensors hand_in.safetensors --slim\n"
      "         limulus convert runs/alexnet/checkpoint.safetensors alexnet.onnx\n"
      "A tensor velocity/conv1.weight becomes velocity/conv1.weight.npy in the folder, and comes "
      "back\n"
      "under its name. A name that is no portable file name is an error.");
  c->add_option("from", a->from, "A .safetensors file or a folder of .npy files")
      ->required()
      ->check(CLI::ExistingPath);
  c->add_option("to", a->to,
                "A .safetensors file, a folder for .npy files, or of a checkpoint an .onnx file");
  c->add_flag("--all", a->all, "Velocities, the data's mean and the history too, not only weights");
  c->add_flag("--convolutions", a->convolutions,
              "Of a checkpoint: the convolutions alone, as bf16, with what explain, look --png and "
              "figure 3 need")
      ->excludes("--all");
  c->add_flag("--slim", a->slim,
              "Of a checkpoint: all but the velocities, to be handed in: half of the bytes; no run "
              "can go on from it")
      ->excludes("--all", "--convolutions");
  c->add_flag("--bf16", a->bf16, "The same with its weights as bf16: a quarter of the bytes")
      ->excludes("--all", "--convolutions");
  c->add_flag("--list", a->list, "List the tensors of a .safetensors file")
      ->excludes("to", "--all", "--convolutions", "--slim", "--bf16");
  c->callback([a] { convert(*a); });
}

}  // namespace limulus::tools
