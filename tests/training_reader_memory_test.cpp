// What a file says of its sizes is checked before memory is asked for: until then no reader takes
// more than 64 times the file's size and 64 MB. Each reader is given small files that promise a
// great deal.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <functional>

#include "core/error.h"
#include "formats/npy.h"
#include "formats/read_file.h"
#include "formats/safetensors.h"
#include "pictures.h"
#include "temporary_folder.h"
#include "training/data/dataset.h"
#include "training/data/image.h"

using namespace limulus;
using namespace pictures;
namespace fs = std::filesystem;

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;  // whose own memory is many times that
#else
constexpr bool kSanitized = false;
#endif

// The most address space that this process has had, in bytes.
std::int64_t peak() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmPeak:") {
      std::int64_t kib = 0;
      status >> kib;
      return kib * 1024;
    }
  return -1;
}

struct Outcome {
  std::int64_t bytes = 0;  // more than before
  bool refused = false;    // by a FileError
};

Outcome of(const std::function<void()>& read) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    Outcome outcome;
    const std::int64_t before = peak();
    try {
      read();
    } catch (const FileError&) {
      outcome.refused = true;
    } catch (...) {
    }
    outcome.bytes = peak() - before;
    const bool told = ::write(ends[1], &outcome, sizeof outcome) == sizeof outcome;
    ::_exit(told ? 0 : 1);
  }
  ::close(ends[1]);
  Outcome outcome;
  CHECK(::read(ends[0], &outcome, sizeof outcome) == sizeof outcome);
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return outcome;
}

void check(const char* what, std::size_t size, const std::function<void()>& read) {
  CAPTURE(what);
  const Outcome outcome = of(read);
  CHECK(outcome.refused);
  const auto most = 64 * static_cast<std::int64_t>(size) + (std::int64_t{64} << 20);
  CHECK(outcome.bytes <= most);
}

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

std::string packed(const std::string& text) {
  z_stream stream{};
  REQUIRE(::deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  ::deflateEnd(&stream);
  return out;
}

}  // namespace

TEST_CASE("pictures, arrays, weights and sets that promise more than they hold") {
  if (kSanitized || peak() < 0) {
    MESSAGE("skipped: the address space is not this program's own, or cannot be measured");
    return;
  }
  // The measurement itself: a picture of 10 million pixels takes what it must.
  const Bytes large =
      png({header(5000, 2000, 8, 2), chunk("IDAT", compressed(Bytes(2000 * 15001, 0)))});
  CHECK(of([&] { decode_image(large, "x"); }).bytes > 30'000'000);

  const Bytes tables = [] {
    Bytes b = quantization();
    add(b, huffman(0));
    add(b, huffman(1));
    return b;
  }();
  const auto picture = [](const char* what, const Bytes& bytes) {
    for (const int short_side : {0, 256})
      check(what, bytes.size(), [&] { decode_image(bytes, "x", short_side); });
  };
  picture("JPEG", jpeg({tables, frame(10000, 10000), scan(), {0}}));
  picture("JPEG of three",
          jpeg({tables, frame(10000, 10000, {0x22, 0x11, 0x11}), scan({1, 2, 3}), {0}}));
  picture("progressive JPEG",
          jpeg({tables, frame(10000, 10000, {0x11}, 0xC2), scan({1}, 0, 0), {0}}));
  picture("progressive JPEG, a band first",
          jpeg({tables, frame(10000, 10000, {0x11}, 0xC2), scan({1}, 1, 63), {0}}));
  for (const int depth : {8, 16})
    for (const int interlace : {0, 1})
      picture("PNG", png({header(10000, 10000, depth, 6, interlace),
                          chunk("IDAT", compressed(Bytes(100000, 0)))}));
  picture("PNG, header alone", png({header(10000, 10000, 16, 6), chunk("IDAT", {})}));

  const TemporaryFolder folder;
  const auto file = [&](const char* what, const fs::path& path, const std::string& bytes,
                        const std::function<void()>& read) {
    put_bytes(path, bytes);
    check(what, bytes.size(), read);
  };
  const auto safetensors = [&](const char* what, const std::string& head) {
    const std::uint64_t length = head.size();
    const auto path = folder / "x.safetensors";
    file(what, path, std::string(reinterpret_cast<const char*>(&length), 8) + head,
         [&] { SafetensorsFile read(path); });
  };
  std::string many = "{", sizes = R"({"a":{"shape":[)", texts = R"({"__metadata__":{)";
  for (int i = 0; i < 300000; ++i) {
    many += fmt::format("\"{}\":{{}},", i);
    sizes += "0,";
    texts += fmt::format("\"{}\":\"\",", i);
  }
  safetensors("many tensors", many + "\"x\":{}}");
  safetensors("many sizes", sizes + "0]}}");
  safetensors("many texts", texts + "\"x\":1}}");
  safetensors("a large tensor",
              R"({"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}})");

  const auto npy = folder / "x.npy";
  const auto array = [](const std::string& shape) {
    const std::string head = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + ")}";
    return std::string("\x93NUMPY\2\0", 8) + static_cast<char>(head.size()) + std::string(3, '\0') +
           head;
  };
  file("npy", npy, array("1000000000,"), [&] { read_npy(npy); });
  file("npy, a long header", npy, std::string("\x93NUMPY\2\0\xff\xff\xff\xff{", 13),
       [&] { read_npy(npy); });

  const auto idx = folder / "idx" / "train-images-idx3-ubyte";
  const auto images = [](std::uint32_t count, std::size_t bytes) {
    Bytes b = {0, 0, 8, 3};
    for (const std::uint32_t size : {count, 1000u, 1000u}) add(b, be32(size));
    return text_of(b) + std::string(bytes, '\0');
  };
  file("IDX", idx, images(2000, 100), [&] { open_mnist(folder / "idx"); });
  file("IDX of 4 billion", idx, images(0xFFFFFFFF, 100), [&] { open_mnist(folder / "idx"); });
  // 200 MB of zeros in 200 kB: a header for one picture, for 2000, for none.
  for (const std::uint32_t count : {1u, 0u, 0xFFFFFFFFu})
    file("gzip", idx, packed(images(count, 200 << 20)), [&] { open_mnist(folder / "idx"); });
  const auto cifar = folder / "cifar" / "data_batch_1.bin";
  file("CIFAR", cifar, std::string(3072, '\0'), [&] { open_cifar10(folder / "cifar"); });
}
