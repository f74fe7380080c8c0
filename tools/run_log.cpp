#include "tools/run_log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/printable.h"
#include "formats/read_file.h"
#include "tools/data_output.h"

namespace limulus::tools {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json event(const char* name) {
  return {{"event", name}, {"time", fmt::format("{:%FT%TZ}", fmt::gmtime(std::time(nullptr)))}};
}

}  // namespace

RunLog::RunLog(std::string path) : path_(std::move(path)) {
  if (path_.empty()) return;
  const auto fail = [&](const std::string& why) {
    return FileError(fmt::format("{}: cannot be the log: {}", path_, why));
  };
  std::error_code error;
  const auto folder = std::filesystem::path(path_).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) throw fail(error.message());
  struct stat found = {};
  const auto check_kind = [&] {
    if (!S_ISREG(found.st_mode) && !S_ISCHR(found.st_mode))
      throw fail("it " + kind_of(found.st_mode));
  };
  // Before it is opened, as the system calls a named pipe that nobody reads "no such device"; and
  // after, as it may be another file by then. Without O_NONBLOCK such a pipe would be waited for.
  if (stat(path_.c_str(), &found) == 0) check_kind();
  file_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666);
  if (file_ < 0 || fstat(file_, &found) != 0) throw fail(system_message(errno));
  check_kind();
}

RunLog::~RunLog() {
  if (file_ >= 0) close(file_);
}

void RunLog::write(const Json& line) {
  if (file_ < 0 || !failure_.empty()) return;
  const std::string text =
      printable_json(line.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n";
  if (was_removed(file_)) {
    failure_ = fmt::format("{}: the log was removed while it was written to", path_);
    return;
  }
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(file_, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      failure_ = fmt::format("{}: cannot write the log: {}", path_, system_message(errno));
      return;
    }
    done += static_cast<std::size_t>(n);
  }
}

void RunLog::skipped(const Trainer& trainer) {
  if (file_ < 0) return;
  for (const Skipped& s : trainer.skipped()) {
    if (!logged_.emplace(s.part, s.name).second) continue;
    Json j = event("skipped");
    j.update(skipped_json(s));
    write(j);
  }
}

void RunLog::data(const Trainer& trainer, bool resumed) {
  if (file_ < 0) return;
  const Dataset& d = trainer.dataset();
  Json j = event("data");
  j["resumed"] = resumed;
  j["data"] = trainer.config().data;
  j["layout"] = name_of(d.kind);
  j["read_as"] = d.how_read();
  j["classes"] = d.classes;
  j["training"] = {{"images", d.train.size()}, {"usable", trainer.usable_train()}};
  j["held_out"] = {{"images", d.test.size()}, {"usable", trainer.usable_test()}};
  j["skipped"] = skipped_json(trainer.skipped(), false);
  j["settings"] = Json::parse(trainer.config().to_json());
  write(j);
  skipped(trainer);
}

void RunLog::epoch(const Trainer& trainer, const EpochRecord& e) {
  if (file_ < 0) return;
  skipped(trainer);
  Json j = event("epoch");
  j["epoch"] = e.epoch;
  j["epochs"] = trainer.config().epochs;
  j["training"] = {{"images", trainer.usable_train()},
                   {"loss", number(e.train_loss)},
                   {"top1", number(e.train_top1)}};
  j["held_out"] = {{"images", trainer.usable_test()},
                   {"loss", number(e.test_loss)},
                   {"top1", number(e.test_top1)},
                   {"top5", number(e.test_top5)}};
  j["lr"] = e.lr;
  j["seconds"] = number(e.seconds);
  j["images_per_second"] = number(e.images_per_second);
  j["waiting"] = number(e.waiting);
  write(j);
}

void RunLog::end(const Trainer* trainer, const std::string& state, const RunReport* report,
                 const std::string& error) {
  if (file_ < 0) return;
  Json j = event("end");
  j["state"] = state;
  if (trainer != nullptr) {
    skipped(*trainer);
    j["epochs"] = trainer->epoch();
    j["skipped"] = skipped_json(trainer->skipped(), false);
    j["checkpoint"] = trainer->checkpoint_path().string();
  }
  if (report != nullptr) {
    j["single_crop"] = numbers_json(report->single);
    if (report->ten.images > 0) j["ten_crops"] = numbers_json(report->ten);
  }
  if (!error.empty()) j["error"] = error;
  write(j);
}

}  // namespace limulus::tools
