// Sizes that were measured: kept, used, and ignored where the file is damaged.
#include <doctest/doctest.h>

#ifdef LIMULUS_OPENCL
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "backends/opencl/cache.h"
#include "backends/opencl/limits.h"
#include "backends/opencl/tuning.h"
#include "core/error.h"
#include "core/note.h"
#include "opencl_check.h"

using namespace limulus;
using opencl::Tuning;

TEST_CASE("sizes outside of what kernels can do are named") {
  for (const Tuning& t : {opencl::processor(16), opencl::processor(8), opencl::processor(4),
                          opencl::processor(1), opencl::gpu()})
    CHECK(opencl::check_tuning(t) == "");
  Tuning t = opencl::processor(8);
  t.k_block = 0;
  CHECK(opencl::check_tuning(t) == "k_block is 0, not 16 to 4096");
  t = opencl::processor(8);
  t.vec_f32 = 6;
  CHECK(opencl::check_tuning(t) == "OpenCL has no vectors of 6 numbers");
  t = opencl::processor(8);
  t.group = 4;
  CHECK(opencl::check_tuning(t) == "on a processor a group is one item");
  t = opencl::processor(8);
  t.taps_run = 33;
  CHECK(opencl::check_tuning(t) == "taps_run 33 is not a multiple of 6");
  t = opencl::processor(16);
  t.k_block = t.k_pass = 20;
  CHECK(opencl::check_tuning(t) == "k_block 20 is not a multiple of a vector's 16");
  t = opencl::gpu();
  t.slice = 6;
  CHECK(opencl::check_tuning(t) == "slice 6 is not a multiple of a vector's 4");
  t = opencl::gpu();
  t.tile_rows = 6;
  CHECK(opencl::check_tuning(t) == "tile_rows 6 is not a multiple of a vector's 4");
  t = opencl::gpu();
  t.k_pass = t.k_block + 1;
  CHECK(has(opencl::check_tuning(t), "not a multiple"));
}

TEST_CASE("sizes are made to fit a device that can do less") {
  const Tuning gpu = opencl::gpu();
  CHECK(opencl::local_bytes(gpu) == 2 * 8 * (8 * 16 + 2 + 2 * 2 * 8 + 2) * 8);
  CHECK(opencl::local_bytes(opencl::processor(8)) == 0);
  CHECK(opencl::difference(gpu, opencl::fitted(gpu, {256, 32 << 10})) == "");
  for (const std::int64_t items : {1, 2, 16, 100, 256})
    for (const std::int64_t bytes : {1 << 10, 2 << 10, 4 << 10, 32 << 10}) {
      CAPTURE(items);
      CAPTURE(bytes);
      const Tuning t = opencl::fitted(gpu, {items, bytes});
      CHECK(t.group_a * t.group_b <= items);
      CHECK(t.group <= items);
      CHECK(opencl::local_bytes(t) <= bytes);
      CHECK(opencl::check_tuning(t) == "");
    }
  CHECK_THROWS_WITH_AS(
      opencl::fitted(gpu, {256, 64}),
      "a single item's slice takes 1024 bytes of local memory, and this device has 64",
      DeviceError);
}

TEST_CASE("kernels whose groups and slices were cut compute the same") {
  if (!have_device()) return;
  const Environment guard("LIMULUS_CL_GUARD", "1");
  for (const opencl::Limits limits : {opencl::Limits{1, 1 << 10}, opencl::Limits{32, 2 << 10}}) {
    OpenClBackend backend("opencl:0", opencl::fitted(opencl::gpu(), limits));
    std::map<std::string, int> rows;  // of what has groups
    for (const OpCase& c : op_cases())
      if (!c.large && (c.op == "conv2d" || c.op == "linear" || c.op == "matmul"))
        if (rows[c.op]++ < 12) check_row(c, backend);
    CHECK(rows.size() == 3);
  }
}

// Every way in which a GPU's operands may lie, with sizes that fill blocks of 128 x 64 and with
// sizes that do not, in one part and in several, in one pass over k and in several.
TEST_CASE("a GPU's product, however its operands lie") {
  if (!have_device()) return;
  const Environment guard("LIMULUS_CL_GUARD", "1");
  OpenClBackend backend("opencl:0", opencl::gpu());
  Backend& exact = device("reference");
  std::mt19937 words(1);
  std::normal_distribution<float> normal;
  int products = 0;
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{128, 64, 16},
                                {256, 128, 24},
                                {3, 5, 1500},
                                {130, 67, 33},
                                {8, 200, 1300},
                                {128, 64, 1032}})
    for (const bool trans_a : {false, true})
      for (const bool trans_b : {false, true})
        for (const int beta : {0, 1}) {
          std::vector<float> a(m * k), b(k * n), c(m * n);
          for (std::vector<float>* v : {&a, &b, &c})
            for (float& x : *v) x = normal(words);
          const GemmShape s = {m, n,   k, trans_a, trans_b, trans_a ? m : k, trans_b ? k : n,
                               n, beta};
          const auto result = [&](Backend& on, auto element) {
            using T = decltype(element);
            const auto put = [&](const std::vector<float>& v) {
              return Tensor::from(std::vector<T>(v.begin(), v.end()),
                                  {static_cast<std::int64_t>(v.size())}, on);
            };
            const Tensor ta = put(a), tb = put(b);
            Tensor tc = put(c);
            on.gemm(ta.dtype(), s, ta.data(), tb.data(), tc.mutable_data());
            return tc.to_doubles();
          };
          const std::vector<double> got = result(backend, 0.0F), wanted = result(exact, 0.0);
          double worst = 0;
          for (std::size_t i = 0; i < got.size(); ++i)
            worst = std::max(worst, std::abs(got[i] - wanted[i]));
          CHECK_MESSAGE(worst < 6e-6 * std::sqrt(static_cast<double>(k)),
                        m << " x " << n << " x " << k << std::string(trans_a ? " A^T" : "")
                          << std::string(trans_b ? " B^T" : "") << ": " << worst);
          ++products;
        }
  CHECK(products == 48);
}

// Uploads to a GPU do not wait: each must still arrive whole, and after what was ordered before it.
TEST_CASE("uploads that do not wait arrive whole and in their order") {
  if (!have_device()) return;
  OpenClBackend backend("opencl:0", opencl::gpu());
  constexpr std::int64_t n = 300000;
  const Workspace x(backend.pool(), 4 * n), y(backend.pool(), 4 * n);
  std::vector<float> got(n);
  for (int round = 1; round <= 12; ++round) {  // more than there are places for copies
    const std::int64_t count = n / (1 + round % 4);
    std::vector<float> values(count, static_cast<float>(round));
    backend.upload(x.data(), values.data(), 4 * count);
    std::fill(values.begin(), values.end(), -1.0F);  // the caller's array is the caller's again
    backend.affine(DType::f32, count, 2, 0, x.data(), y.data());
    backend.upload(x.data(), values.data(), 4 * count);
    backend.download(got.data(), y.data(), 4 * count);
    CHECK(std::count(got.begin(), got.begin() + count, static_cast<float>(2 * round)) == count);
    backend.download(got.data(), x.data(), 4 * count);
    CHECK(std::count(got.begin(), got.begin() + count, -1.0F) == count);
  }
}

TEST_CASE("an image that 32 bits cannot index is refused with the arithmetic") {
  if (!have_device()) return;
  OpenClBackend backend("opencl:0");
  Conv2dShape s;
  s.n = s.k = s.groups = 1;
  s.c = 8;
  s.window = make_window(20000, 20000, {.kernel = 1, .stride = 1, .pad = 0}, "conv2d");
  const std::string message = message_of<ShapeError>(
      [&] { backend.conv2d_forward(DType::f32, s, nullptr, nullptr, nullptr, nullptr); });
  CHECK_MESSAGE(has(message,
                    "8 channels x 1 phases x 20000 rows x 20000 columns = 3200000000 "
                    "values, more than the 2^31 - 1"),
                message);
}

TEST_CASE("measured sizes are kept per device, and a damaged file is ignored") {
  if (!have_device()) return;
  const TemporaryFolder folder;
  const Environment cache("XDG_CACHE_HOME", folder.path.string());
  const Tuning before = OpenClBackend("opencl:0").tuning();
  Tuning other = before;
  other.run = 777;
  other.winograd_bytes = 5 << 20;
  std::filesystem::path file;
  {
    const OpenClBackend backend("opencl:0");
    file = backend.store_tuning(other);
    CHECK(opencl::difference(backend.tuning(), before) == "");  // from the next start on
  }
  OpenClBackend tuned("opencl:0");
  CHECK(opencl::difference(before, tuned.tuning()) == "run 777, winograd_bytes 5242880");
  CHECK(two_x_plus_one(tuned) == 7);
  {
    const Environment forced("LIMULUS_CL_TUNING", "gpu");
    CHECK(opencl::difference(OpenClBackend("opencl:0").tuning(), opencl::gpu()) == "");
  }
  const std::string whole = get_bytes(file);
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    REQUIRE(has(text, from));
    return text.replace(text.find(from), from.size(), to);
  };
  std::vector<std::string> damaged = {"",
                                      "{",
                                      "[1]",
                                      whole.substr(0, whole.size() / 2),
                                      replaced("version 2", "version 9"),
                                      replaced("limulus cache 2", "limulus cache 3"),
                                      replaced("\"run\"", "\"ran\""),
                                      replaced("777", "\"777\""),
                                      replaced("777", "7.5"),
                                      replaced("777", "778"),  // possible, but not what was kept
                                      replaced("777", "-1"),
                                      replaced("777", "4294968073"),  // 2^32 + 777
                                      replaced("777", "18446744073709551615"),
                                      replaced("777", "99999999999999999999")};
  std::vector<std::string> notes;
  set_note_sink([&](const std::string& text) { notes.push_back(text); });
  for (const std::string& bytes : damaged) {
    put_bytes(file, bytes);
    CAPTURE(bytes);
    CHECK(opencl::difference(OpenClBackend("opencl:0").tuning(), before) == "");
  }
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  CHECK(opencl::difference(OpenClBackend("opencl:0").tuning(), before) == "");
  std::filesystem::remove(file);
  REQUIRE(notes.size() == 1);
  CHECK(has(notes[0], file.string() + ": ignored, as it is damaged, or of another device"));
  // Whole, but with sizes that no kernel could have, or of another form.
  const std::string key =
      whole.substr(whole.find('\n') + 1, std::stoul(whole.substr(whole.find("key ") + 4)));
  std::string sizes = whole.substr(whole.find('\n') + 1 + key.size());
  REQUIRE(has(sizes, "777"));
  sizes.replace(sizes.find("777"), 3, "-1");
  std::string wrapped = sizes;  // 2^32 + 777, which is 777 for who looks at half of it
  wrapped.replace(wrapped.find("-1"), 2, "4294968073");
  for (const std::string& content :
       {sizes, wrapped, std::string("{}"), std::string("[1]"), std::string()}) {
    REQUIRE(opencl::cache_write(file.filename().string(), key, content) == "");
    CHECK(opencl::difference(OpenClBackend("opencl:0").tuning(), before) == "");
  }
  CHECK(has(notes.at(1), "run is -1"));
  CHECK(has(notes.at(2), "run is 4294968073"));
  // Sizes of another device under this one's name.
  REQUIRE(opencl::cache_write(file.filename().string(), key + "another device\n", "{}") == "");
  CHECK(opencl::difference(OpenClBackend("opencl:0").tuning(), before) == "");
  set_note_sink({});
  put_bytes(folder / "file", "a file where the folder should be");
  const Environment nowhere("XDG_CACHE_HOME", (folder / "file").string());
  CHECK_THROWS_AS(OpenClBackend("opencl:0").store_tuning(other), FileError);
}
#else
TEST_CASE("this build has no OpenCL backend") { MESSAGE("skipped: built without OpenCL"); }
#endif
