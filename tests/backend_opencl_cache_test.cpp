// What is kept between programs: used only if it is whole, ours, and for exactly this use.
#include <doctest/doctest.h>

#ifdef LIMULUS_OPENCL
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <vector>

#include "backends/opencl/cache.h"
#include "core/note.h"
#include "core/rng.h"
#include "opencl_check.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

// A folder of its own, in which only what is asked for is built.
struct Cache {
  TemporaryFolder folder;
  Environment home{"XDG_CACHE_HOME", folder.path.string()};
  Environment unchecked{"LIMULUS_CL_SELFCHECK", "0"};  // which would build others, too
  Environment binaries{"LIMULUS_CL_BINARIES", "1"};    // with PoCL, too
  fs::path limulus = folder / "limulus";
  std::vector<std::string> notes;

  Cache() {
    set_note_sink([this](const std::string& text) { notes.push_back(text); });
  }
  ~Cache() { set_note_sink({}); }
};

float compute() {
  OpenClBackend backend("opencl:0");
  return two_x_plus_one(backend);
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  return files;
}

// The key of a file that was kept: "limulus cache 2, key 312, content ..." and a line later.
std::string key_of(const fs::path& file) {
  const std::string bytes = get_bytes(file);
  REQUIRE(bytes.starts_with("limulus cache 2, key "));
  return bytes.substr(bytes.find('\n') + 1, std::stoul(bytes.substr(21)));
}
std::string content_of(const fs::path& file) {
  const std::string bytes = get_bytes(file);
  return bytes.substr(bytes.find('\n') + 1 + key_of(file).size());
}

}  // namespace

TEST_CASE("a damaged cache is built again") {
  if (!have_device()) return;
  Cache cache;
  CHECK(compute() == 7);
  const std::vector<fs::path> files = files_in(cache.limulus);
  REQUIRE(files.size() == 1);
  const std::string whole = get_bytes(files[0]);
  REQUIRE(whole.size() > 100);
  const fs::file_time_type written = fs::last_write_time(files[0]);
  CHECK(compute() == 7);
  CHECK(fs::last_write_time(files[0]) == written);  // it was found there
  const auto count = [&] { return files_in(cache.limulus).size(); };
  {  // other options, or another text, are another program
    const Environment gpu("LIMULUS_CL_TUNING", "gpu");
    CHECK(compute() == 7);
    CHECK(count() == 2);
  }
  {
    edit_kernels(cache.folder / "edited", "elementwise.cl", "scale * x[i] + shift",
                 "scale * x[i] + shift + 10");
    const Environment edited("LIMULUS_CL_DIR", (cache.folder / "edited").string());
    CHECK(compute() == 17);
    CHECK(count() == 3);
  }
  CHECK(compute() == 7);
  CHECK(fs::last_write_time(files[0]) == written);

  std::vector<std::string> damaged = {
      "",         "x", whole.substr(0, 20), whole.substr(0, 24), whole.substr(0, whole.size() - 1),
      whole + "x"};
  for (const std::size_t at : {std::size_t{0}, std::size_t{9}, std::size_t{17}, std::size_t{24},
                               whole.size() / 3, whole.size() / 2, whole.size() - 1}) {
    damaged.push_back(whole);
    damaged.back()[at] ^= 0x40;
  }
  Rng rng(2012);
  for (int i = 0; i < 6; ++i) {  // a bit, and an end, anywhere
    damaged.push_back(whole);
    damaged.back()[rng.below(whole.size())] ^= static_cast<char>(1 << rng.below(8));
    damaged.push_back(whole.substr(0, rng.below(whole.size())));
  }
  for (const std::string& bytes : damaged) {
    put_bytes(files[0], bytes);
    CHECK(compute() == 7);
    CHECK(get_bytes(files[0]).size() > 100);
    CHECK(get_bytes(files[0]) != bytes);
  }
  fs::remove_all(cache.limulus);
  put_bytes(cache.limulus, "a file where the folder should be");
  CHECK(compute() == 7);  // nothing can be kept, and nothing is lost
}

TEST_CASE("PoCL keeps what it compiles by itself") {
  if (!have_device()) return;
  Cache cache;
  CHECK(compute() == 7);
  CHECK(files_in(cache.limulus).size() == 1);
  const std::string name = opencl_devices().devices[0].facts.front().second;
  fs::remove_all(cache.limulus);
  ::unsetenv("LIMULUS_CL_BINARIES");
  CHECK(compute() == 7);
  CAPTURE(name);
  CHECK(fs::exists(cache.limulus) != has(name, "Portable Computing Language"));
}

TEST_CASE("a program of another kernel is not run, whatever the file is called") {
  if (!have_device()) return;
  Cache cache;
  CHECK(compute() == 7);
  const fs::path plain = files_in(cache.limulus).at(0);
  edit_kernels(cache.folder / "edited", "elementwise.cl", "scale * x[i] + shift",
               "scale * x[i] + shift + 10");
  {
    const Environment edited("LIMULUS_CL_DIR", (cache.folder / "edited").string());
    CHECK(compute() == 17);
  }
  {
    OpenClBackend backend("opencl:0");
    learn(backend);  // sgd.cl
  }
  const std::string own = content_of(plain), key = key_of(plain);
  std::vector<std::string> others;
  for (const fs::path& file : files_in(cache.limulus))
    if (file != plain) others.push_back(get_bytes(file));
  REQUIRE(others.size() >= 2);
  // Moved under this name: the keys differ.
  for (const std::string& bytes : others) {
    put_bytes(plain, bytes);
    CHECK(compute() == 7);
    CHECK(key_of(plain) == key);
  }
  // With the right key and checksum, but what the driver does not take, or takes and has no such
  // kernel in: built again, and put in its place.
  std::string sgd;
  for (const std::string& bytes : others)
    if (has(bytes.substr(0, 400), "sgd")) sgd = bytes;
  REQUIRE_FALSE(sgd.empty());
  put_bytes(cache.folder / "sgd", sgd);
  for (const std::string& content : {std::string("garbage"), std::string(5000, '\xFF'),
                                     std::string(), content_of(cache.folder / "sgd")}) {
    CHECK(opencl::cache_write(plain.filename().string(), key, content) == "");
    CHECK(compute() == 7);
    CHECK(content_of(plain) != content);
  }
  CHECK(cache.notes.empty());
}

TEST_CASE("a folder that others could write to is not used, and that is noted once") {
  if (!have_device()) return;
  Cache cache;
  CHECK(compute() == 7);
  const fs::path file = files_in(cache.limulus).at(0);
  const std::string whole = get_bytes(file);
  // After `spoil` nothing is read or written, but for the result all is as before.
  const auto not_used = [&](const char* what, const std::string& why,
                            const std::function<void()>& spoil, const std::function<void()>& mend) {
    CAPTURE(what);
    put_bytes(file, "");  // it would be written again if the folder were used
    spoil();
    cache.notes.clear();
    set_note_sink([&cache](const std::string& text) { cache.notes.push_back(text); });
    CHECK(compute() == 7);
    CHECK(compute() == 7);
    CHECK(get_bytes(file) == "");
    REQUIRE(cache.notes.size() == 1);
    CHECK(has(cache.notes[0], "is not used: "));
    CHECK(has(cache.notes[0], why));
    CHECK(has(opencl_devices().devices[0].facts.back().second, "not used: "));
    mend();
    CHECK(compute() == 7);
    CHECK(get_bytes(file).size() == whole.size());
  };
  const auto mode = [](const fs::path& path, mode_t bits) {
    return [path, bits] { CHECK(::chmod(path.c_str(), bits) == 0); };
  };
  not_used("others may write", "other users may write to", mode(cache.limulus, 0777),
           mode(cache.limulus, 0755));
  not_used("the group may write", "chmod go-w", mode(cache.limulus, 0770),
           mode(cache.limulus, 0700));
  not_used("others may exchange it", "other users may write to", mode(cache.folder.path, 0777),
           mode(cache.folder.path, 01777));  // but not with the sticky bit
  mode(cache.folder.path, 0700)();
  const fs::path real = cache.folder / "elsewhere";
  not_used(
      "a link", "symbolic link",
      [&] {
        fs::rename(cache.limulus, real);
        fs::create_directory_symlink(real, cache.limulus);
      },
      [&] {
        fs::remove(cache.limulus);
        fs::rename(real, cache.limulus);
      });
  if (::geteuid() == 0) {
    const auto owner = [](const fs::path& path, uid_t id) {
      return [path, id] { CHECK(::chown(path.c_str(), id, static_cast<gid_t>(-1)) == 0); };
    };
    not_used("another user's", "belongs to another user", owner(cache.limulus, 12345),
             owner(cache.limulus, 0));
    not_used("in another user's", "belongs to another user", owner(cache.folder.path, 12345),
             owner(cache.folder.path, 0));
  } else {
    MESSAGE("skipped: a folder of another user: only root can make one");
  }
}

TEST_CASE("a file that others could write to, a link or a pipe is not used, and is replaced") {
  if (!have_device()) return;
  Cache cache;
  CHECK(compute() == 7);
  const fs::path file = files_in(cache.limulus).at(0), aside = cache.folder / "aside";
  const auto replaced = [&](const std::function<void()>& spoil) {
    spoil();
    CHECK(compute() == 7);
    struct stat found;
    REQUIRE(::lstat(file.c_str(), &found) == 0);
    CHECK(S_ISREG(found.st_mode));
    CHECK((found.st_mode & 0777) == 0600);
  };
  replaced([&] { CHECK(::chmod(file.c_str(), 0666) == 0); });
  replaced([&] {
    fs::rename(file, aside);
    fs::create_symlink(aside, file);
  });
  replaced([&] {
    fs::remove(file);
    CHECK(::mkfifo(file.c_str(), 0600) == 0);  // opened like a file, it would never end
  });
  if (::geteuid() == 0) replaced([&] { CHECK(::chown(file.c_str(), 12345, 12345) == 0); });
}

TEST_CASE("the folder is that of the XDG specification") {
  const TemporaryFolder home;
  const std::string own = (home / ".cache" / "limulus").string();
  const Environment set_home("HOME", home.path.string());
  {
    const Environment cache("XDG_CACHE_HOME", "");
    CHECK(opencl::cache_folder() == own);
  }
  const Environment cache("XDG_CACHE_HOME", "relative/folder");
  CHECK(opencl::cache_folder() == own);
  CHECK(opencl::cache_note() == own);  // that it is not there yet is nothing to tell
  CHECK(opencl::cache_write("name", "key", "content") == "");
  CHECK(opencl::cache_read("name", "key") == "content");
  bool unusable = false;
  CHECK_FALSE(opencl::cache_read("name", "another key", &unusable));
  CHECK(unusable);
  CHECK_FALSE(opencl::cache_read("nothing", "key", &unusable));
  CHECK_FALSE(unusable);
  for (const char* nowhere : {"", "relative"}) {
    const Environment no_home("HOME", nowhere);
    CHECK(opencl::cache_folder() == "");
    CHECK(opencl::cache_note() == "not used: neither XDG_CACHE_HOME nor HOME names a folder");
    CHECK_FALSE(opencl::cache_read("name", "key"));
    CHECK(has(opencl::cache_write("name", "key", "content"), "neither XDG_CACHE_HOME nor HOME"));
  }
}
#else
TEST_CASE("this build has no OpenCL backend") { MESSAGE("skipped: built without OpenCL"); }
#endif
