// Files as the system has them: what is no file, several writers at once, leftovers, links, files
// that shrink, and small ones that unpack to a great deal.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <cstring>
#include <functional>
#include <set>
#include <thread>

#include "core/error.h"
#include "formats/atomic_file.h"
#include "formats/npy.h"
#include "formats/read_file.h"
#include "formats/safetensors.h"
#include "temporary_folder.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.insert(entry.path().filename().string());
  return names;
}

// The exit status of a child that runs `action`, and what it wrote to stderr; 128 + n: signal n.
int in_child(const std::function<void()>& action, std::string* said = nullptr) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(ends[1], 2);
    int status = 0;
    try {
      action();
    } catch (const std::exception& e) {
      status = 7;
    }
    ::_exit(status);
  }
  ::close(ends[1]);
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    if (said != nullptr) said->append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  REQUIRE(::deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(packed.size() - stream.avail_out);
  ::deflateEnd(&stream);
  return packed;
}

}  // namespace

TEST_CASE("what is no file is named, at once, wherever a file is read or written") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (folder / "socket").c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  fs::create_symlink("pipe", folder / "link");

  const std::pair<fs::path, std::string> all[] = {{folder / "pipe", "is a named pipe, not a file"},
                                                  {folder / "link", "is a named pipe, not a file"},
                                                  {folder / "socket", "is a socket, not a file"},
                                                  {folder.path, "is a folder, expected a file"},
                                                  {"/dev/null", "is a device, not a file"},
                                                  {"/dev/zero", "is a device, not a file"}};
  for (const auto& [path, what] : all) {
    CAPTURE(path.string());
    const std::function<void()> readers[] = {
        [&] { read_file(path); },
        [&] { MappedFile file(path); },
        [&] { SafetensorsFile file(path); },
        [&] { read_npy(path); },
        [&] { read_unpacked(path, 8, [](auto) { return std::size_t{0}; }); },
        [&] { AtomicFile file(path); }};
    for (const auto& read : readers) {
      const std::string message = message_of<FileError>(read);
      CHECK_MESSAGE(has(message, what), message);
    }
  }
  ::close(socket);
  CHECK(names_in(folder.path) == std::set<std::string>{"pipe", "socket", "link"});
}

TEST_CASE("atomic file: of many writers at once, one file is whole and nothing else stays") {
  const TemporaryFolder folder;
  const fs::path path = folder / "x.safetensors";
  const auto write = [&](int writer) {
    const std::vector<float> values(static_cast<std::size_t>(1000 + 50000 * (writer % 2)),
                                    static_cast<float>(writer));
    const auto n = static_cast<std::int64_t>(values.size());
    for (int round = 0; round < 10; ++round)
      write_safetensors(path, {{"w", DType::f32, {n}, values.data()}}, {},
                        {.keep_previous = writer % 3 == 0});
  };
  const auto whole = [](const fs::path& file) {
    const SafetensorsFile read(file);
    const std::vector<float> values = read.to_floats(read.at("w"));
    return values.front() == values.back();
  };
  SUBCASE("threads") {
    std::vector<std::jthread> writers;
    for (int w = 0; w < 6; ++w) writers.emplace_back([&, w] { write(w); });
    while (!fs::exists(path)) std::this_thread::yield();
    for (int i = 0; i < 50; ++i) CHECK(whole(path));  // at every moment
  }
  SUBCASE("processes") {
    std::vector<pid_t> children;
    for (int w = 0; w < 4; ++w) {
      const pid_t child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        try {
          write(w);
        } catch (...) {
          ::_exit(1);
        }
        ::_exit(0);
      }
      children.push_back(child);
    }
    for (const pid_t child : children) {
      int status = 0;
      ::waitpid(child, &status, 0);
      CHECK(status == 0);
    }
  }
  CHECK(whole(path));
  CHECK(whole(path.string() + ".previous"));
  CHECK(names_in(folder.path) == std::set<std::string>{"x.safetensors", "x.safetensors.previous"});
}

TEST_CASE("atomic file: what a killed writer left is removed, what a living one writes is not") {
  const TemporaryFolder folder;
  const fs::path path = folder / "x";
  CHECK(in_child([&] {
          AtomicFile file(path);
          file.write("half");
          ::raise(SIGKILL);
        }) == 128 + SIGKILL);
  CHECK(names_in(folder.path).size() == 1);

  AtomicFile living(path);  // removes what was left
  living.write("living");
  CHECK(names_in(folder.path) == std::set<std::string>{living.temporary().filename().string()});
  CHECK(in_child([&] { write_file_atomically(path, "other"); }) == 0);
  CHECK(get_bytes(path) == "other");
  living.commit();
  CHECK(get_bytes(path) == "living");
  CHECK(names_in(folder.path) == std::set<std::string>{"x"});

  // Names that only look alike are somebody's own.
  const std::set<std::string> others = {"x.tmp", "x.tmp-12", "x.tmp-1234567g", "y.tmp-12345678",
                                        "x.tmp-12345678.bak"};
  for (const std::string& name : others) put_bytes(folder / name, name);
  fs::create_directory(folder / "x.tmp-00000001");
  fs::create_symlink("x.tmp", folder / "x.tmp-00000002");
  write_file_atomically(path, "again");
  for (const std::string& name : others) CHECK(get_bytes(folder / name) == name);
  CHECK(fs::exists(folder / "x.tmp-00000001"));
  CHECK(fs::is_symlink(folder / "x.tmp-00000002"));
}

TEST_CASE("atomic file: links and permissions") {
  const TemporaryFolder folder;
  put_bytes(folder / "victim", "victim");
  fs::create_symlink("victim", folder / "x.tmp");  // what an earlier version would have written to
  write_file_atomically(folder / "x", "x");
  CHECK(get_bytes(folder / "victim") == "victim");

  fs::create_directory(folder / "there");
  fs::create_symlink("there/new", folder / "dangling");  // its file is not there yet
  write_file_atomically(folder / "dangling", "text");
  CHECK(fs::is_symlink(folder / "dangling"));
  CHECK(get_bytes(folder / "there/new") == "text");
  fs::create_symlink("round", folder / "round");
  CHECK(has(message_of<FileError>([&] { AtomicFile file(folder / "round"); }), "cannot follow"));

  const mode_t before = ::umask(027);
  write_file_atomically(folder / "mode", "");
  ::umask(before);
  CHECK((fs::status(folder / "mode").permissions() & fs::perms::all) == fs::perms{0640});

  const std::string longest(255, 'n');  // as long as a name can be
  write_file_atomically(folder / longest, "long");
  CHECK(get_bytes(folder / longest) == "long");
}

TEST_CASE("a mapped file that shrinks ends the program with its name") {
  const TemporaryFolder folder;
  const fs::path path = folder / "weights\x1b";
  put_bytes(path, std::string(100000, 'w'));
  std::string said;
  const int status = in_child(
      [&] {
        explain_lost_mappings();
        const MappedFile other(folder / "weights\x1b");
        const MappedFile file(path);
        fs::resize_file(path, 10);
        volatile std::byte last = file.bytes()[50000];
        (void)last;
      },
      &said);
  CHECK(status == 1);
  CHECK(said == "error: " + folder.path.string() +
                    "/weights\\x1b: became shorter while it was in use: somebody else cut it\n");
  // A fault elsewhere ends as ever.
  CHECK(in_child([&] {
          explain_lost_mappings();
          ::raise(SIGBUS);
          ::raise(SIGBUS);
        }) == 128 + SIGBUS);
}

TEST_CASE("gzip: no more is unpacked than the contents' own header says") {
  const TemporaryFolder folder;
  const fs::path path = folder / "x.gz";
  const std::string text = "0123456789" + std::string(300 << 20, '\0');
  const std::string packed = gzip(text);
  CHECK(packed.size() < 400000);
  put_bytes(path, packed);
  std::size_t seen = 0;
  const auto read = [&](std::size_t size) {
    return read_unpacked(path, 10, [&](std::span<const std::uint8_t> header) {
      seen = header.size();
      return size;
    });
  };
  const auto part = read(1000);
  CHECK(seen == 10);
  CHECK(part.size() == 1001);  // and one, which tells that there is more
  CHECK(part.capacity() <= std::size_t{1} << 20);
  CHECK(read(text.size()).size() == text.size());

  put_bytes(path, gzip("0123456789"));
  CHECK(read(std::size_t{1} << 62).size() == 10);
  for (const std::string& damaged : {gzip("0123456789").substr(0, 20), gzip("0123456789") + "x",
                                     std::string("\x1f\x8b\x08\0\0\0\0\0\0\3\xff\xff\xff", 13)}) {
    put_bytes(path, damaged);
    CHECK(has(message_of<FileError>([&] { read(10); }), "x.gz: cannot unpack: "));
  }
}

TEST_CASE("safetensors: a header that no reader would take is not written") {
  const TemporaryFolder folder;
  const fs::path path = folder / "x.safetensors";
  write_safetensors(path, {}, {{"k", "v"}});
  const std::string before = get_bytes(path);
  const std::string long_text(100'000'001, 'a');
  const std::string message = message_of<ValueError>([&] {
    write_safetensors(path, {}, {{"k", long_text}});
  });
  CHECK(has(message, "readers take 100000000 at most"));
  CHECK(get_bytes(path) == before);
  CHECK(names_in(folder.path) == std::set<std::string>{"x.safetensors"});
}
