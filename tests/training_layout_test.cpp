// What the folders of a data set mean, and that no picture is left out without a word.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "core/error.h"
#include "temporary_folder.h"
#include "training/data/class_names.h"
#include "training/data/dataset.h"
#include "training_sets.h"

using namespace limulus;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

// A folder with these pictures; a name that ends in "/" is an empty folder.
struct Pictures : TemporaryFolder {
  Pictures(std::initializer_list<const char*> files) {
    for (const std::string name : files) {
      if (name.back() == '/') {
        fs::create_directories(path / name);
      } else {
        put_bytes(path / name, "");
      }
    }
  }
  Dataset open(const DatasetOptions& options = {}) const { return open_dataset(path, options); }
  std::string error(const DatasetOptions& options = {}) const {
    return message_of<FileError>([&] { open(options); });
  }
};

std::int64_t count(const Dataset& data, SkipRule rule) {
  return std::count_if(data.skipped.begin(), data.skipped.end(),
                       [&](const Skipped& s) { return s.rule == rule; });
}

std::int64_t pictures(const Dataset& data) { return data.train.size() + data.test.size(); }

}  // namespace

TEST_CASE("layout: a class may be called train, Test or val") {
  const Pictures flat = {"bus/1.jpg", "bus/2.jpg",   "car/1.jpg",
                         "car/2.jpg", "train/1.jpg", "train/2.jpg"};
  CHECK(flat.open().classes == Names{"bus", "car", "train"});
  CHECK(flat.open().kind == Layout::classes);
  CHECK(pictures(flat.open()) == 6);
  CHECK(flat.open().how_read() == "3 class folders, 20 % of each held out for testing");

  const Pictures deep = {"bus/1.jpg", "bus/2.jpg",         "car/1.jpg",
                         "car/2.jpg", "Train/steam/1.jpg", "Train/electric/1.jpg"};
  CHECK(deep.open().classes == Names{"Train", "bus", "car"});
  CHECK(pictures(deep.open()) == 6);
  CHECK(has(deep.open().layout, "with 2 pictures in folders inside"));
}

TEST_CASE("layout: roles in any letter case, where all of the folder fits them") {
  for (const auto& [train, test] : {std::pair{"train", "test"},
                                    {"TRAIN", "Val"},
                                    {"Training", "Testing"},
                                    {"Train", "VALID"},
                                    {"train", "Validation"}}) {
    CAPTURE(test);
    TemporaryFolder folder;
    for (const char* name : {"a", "b"}) {
      put_bytes(folder / (std::string(train) + "/" + name + "/1.jpg"), "");
      put_bytes(folder / (std::string(test) + "/" + name + "/2.jpg"), "");
    }
    const Dataset data = open_dataset(folder.path);
    CHECK(data.kind == Layout::train_test);
    CHECK(data.classes == Names{"a", "b"});
    CHECK(data.train.size() == 2);
    CHECK(data.test.size() == 2);
    CHECK_FALSE(data.in_one_piece);
    CHECK(has(data.layout, std::string(train) + " and " + test + " folders of 2 class folders"));
  }
  const Pictures beside = {"cat/1.jpg", "dog/1.jpg", "test/cat/2.jpg", "test/dog/2.jpg"};
  CHECK(beside.open().classes == Names{"cat", "dog"});
  CHECK(beside.open().test.size() == 2);
  const Pictures alone = {"train/cat/1.jpg", "train/cat/2.jpg", "train/dog/1.jpg"};
  CHECK(alone.open().in_one_piece);
  CHECK(pictures(alone.open()) == 3);
  const Pictures both = {"train/a/1.jpg", "train/b/1.jpg", "test/a/2.jpg", "test/b/2.jpg",
                         "val/a/3.jpg"};
  CHECK(both.open().test.size() == 2);
  CHECK(count(both.open(), SkipRule::unused) == 1);  // val/, with a word how to take it
  CHECK(has(both.open().skipped[0].reason, "1 pictures in a folder beside"));
  CHECK(both.open({.test_folder = "val"}).test.size() == 1);
}

TEST_CASE("layout: roles with the same words around them are a pair") {
  for (const auto& [train, test] : {std::pair{"seg_train", "seg_test"},
                                    {"training_set", "test_set"},
                                    {"TrainSet", "TestSet"},
                                    {"Train Data", "Val Data"},
                                    {"flowers-train-2019", "flowers-valid-2019"}}) {
    CAPTURE(test);
    const std::string a = train, b = test;
    const Pictures set = {(a + "/bus/1.jpg").c_str(), (a + "/car/1.jpg").c_str(),
                          (b + "/bus/1.jpg").c_str(), (b + "/car/1.jpg").c_str()};
    CHECK(set.open().kind == Layout::train_test);
    CHECK(set.open().classes == Names{"bus", "car"});
    CHECK(set.open().test.size() == 2);
    // What is in them does not agree: which reading is meant?
    const Pictures nested = {(a + "/inner_a/bus/1.jpg").c_str(),
                             (b + "/inner_b/bus/1.jpg").c_str()};
    CHECK(has(nested.error(), "can be read in two ways"));
    CHECK(nested.open({.layout = Layout::classes}).classes.size() == 2);
  }
  const Pictures plain = {"bus/1.jpg", "car/1.jpg"};  // no folder has a role
  CHECK(has(plain.error({.layout = Layout::train_test}), "has no folder for training"));
  // Other words, or a role's word in each of several classes, make no pair.
  const Pictures stations = {"train station/1.jpg", "test tube/1.jpg", "trainer/1.jpg"};
  CHECK(stations.open().classes == Names{"test tube", "train station", "trainer"});
  const Pictures both = {"train test/1.jpg", "test train/1.jpg"};
  CHECK(both.open().classes == Names{"test train", "train test"});
}

TEST_CASE("layout: what can be read in two ways is an error that shows both") {
  const Pictures doubtful[] = {
      {"cat/1.jpg", "dog/1.jpg", "test/1.jpg"},
      {"bus/1.jpg", "train/1.jpg", "test/1.jpg"},
      {"train/1.jpg", "test/1.jpg"},
      {"train/a/1.jpg", "train/b/1.jpg", "test/1.jpg"},
      {"train/a/1.jpg", "train/b/1.jpg", "test/x/1.jpg", "test/y/1.jpg"},
      {"train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "docs/1.png"},
      {"train/a/1.jpg", "train/b/1.jpg", "docs/1.png"},
      {"train/a/1.jpg", "train/b/1.jpg", "Train/a/1.jpg"},
      {"test/a/1.jpg", "val/a/1.jpg"},
  };
  for (const Pictures& folder : doubtful) {
    const std::string error = folder.error();
    CAPTURE(error);
    CHECK(has(error, "can be read in two ways: as "));
    CHECK(has(error, "by the roles that some names suggest"));
    CHECK(has(error, "--layout classes or --layout train-test"));
    std::size_t folders = 0;
    for (const auto& entry : fs::directory_iterator(folder.path)) folders += entry.is_directory();
    CHECK(folder.open({.layout = Layout::classes}).classes.size() == folders);
  }
  const Pictures kaggle = {"train/a/1.jpg", "train/b/1.jpg", "train/b/2.jpg", "test/1.jpg"};
  const Dataset data = kaggle.open({.layout = Layout::train_test});
  CHECK(data.classes == Names{"a", "b"});
  CHECK(pictures(data) == 3);
  CHECK(count(data, SkipRule::unused) == 1);
}

TEST_CASE("layout: parts inside of classes would be mixed") {
  const Pictures doubtful[] = {
      {"cat/train/1.jpg", "cat/test/2.jpg", "dog/train/1.jpg", "dog/test/2.jpg"},
      {"cat/1.jpg", "cat/Val/2.jpg", "dog/1.jpg"},
      {"cat/validation/1.jpg", "dog/1.jpg", "fox/1.jpg"},
  };
  for (const Pictures& folder : doubtful) {
    const std::string error = folder.error();
    CAPTURE(error);
    CHECK(has(error, "can be read in two ways"));
    CHECK(has(error, "--layout classes"));
    CHECK(has(folder.error({.classes = {"cat", "dog", "fox"}}), "two ways"));
    CHECK(pictures(folder.open({.layout = Layout::classes})) >= 3);
  }
  // Kinds of a class whose names are no parts' names together.
  const Pictures kinds = {"vehicle/train/1.jpg", "vehicle/bus/2.jpg", "cricket/test/1.jpg",
                          "cricket/short/1.jpg", "toy/train/1.jpg"};
  CHECK(kinds.open().classes == Names{"cricket", "toy", "vehicle"});
}

TEST_CASE("layout: what lies in a folder without pictures is listed, and each thing once") {
  // test/ has pictures, but none that can be read.
  const Pictures parts = {"train/a/1.jpg", "train/a/2.jpg", "train/b/1.jpg", "train/b/2.jpg",
                          "test/a/1.gif",  "test/b/2.webp", "test/list.txt", "val/"};
  const Dataset data = parts.open();
  CHECK(count(data, SkipRule::other_format) == 2);
  CHECK(count(data, SkipRule::not_a_picture) == 1);
  CHECK(count(data, SkipRule::empty_class) == 2);
  CHECK(data.skipped.size() == 5);
  const Pictures two = {"train/a/1.jpg", "train/b/1.jpg", "training/c/1.jpg", "training/c/2.jpg"};
  const Dataset second = two.open({.layout = Layout::train_test});
  REQUIRE(second.skipped.size() == 1);
  CHECK(has(second.skipped[0].reason, "2 pictures in a second training folder"));
  // What there is too little of is named.
  const Pictures one = {"cat/1.jpg", "dog/1.webp", "fox/"};
  CHECK(has(one.error(), "3 skipped: "));
  CHECK(has(one.error(), "the first is " + (one / "dog/1.webp").string() + ": .webp pictures"));
  // How the set was divided is said as it was.
  const Pictures single = {"cat/1.jpg", "dog/1.jpg"};
  CHECK(single.open().test.size() == 0);
  CHECK(has(single.open().division, "none held out"));
  CHECK(has(single.open({.classes = {"cat", "dog"}}).layout, "2 class folders"));
  const Pictures alone = {"cat/1.jpg"};
  CHECK(alone.open({.classes = {"cat", "dog"}}).layout == "1 class folder");
}

TEST_CASE("layout: a link to a folder of the same set is no second class, nor read twice") {
  const Pictures folder = {"cat/1.jpg",          "cat/2.jpg",        "dog/1.jpg",
                           "dog/2020/may/2.jpg", ".store/fox/1.jpg", ".store/fox/2.jpg"};
  fs::create_directory_symlink("cat", folder / "a_cat");            // another name of a class
  fs::create_directory_symlink("../dog", folder / "cat/more");      // a class in a class
  fs::create_directory_symlink("../dog/2020", folder / "cat/old");  // a part of one
  fs::create_directory_symlink("2020", folder / "dog/2019");        // of its own class, met first
  fs::create_directory_symlink("may", folder / "dog/2020/april");
  fs::create_directory_symlink(".store/fox", folder / "fox");  // which is not read by itself
  const Dataset data = folder.open();
  CHECK(data.classes == Names{"cat", "dog", "fox"});
  CHECK(pictures(data) == 6);
  CHECK(count(data, SkipRule::repeated) == 5);
  CHECK(count(data, SkipRule::hidden) == 1);
}

TEST_CASE("layout: pictures at any depth, and a list of all that is none") {
  Pictures folder = {"cat/1.jpg",       "cat/2019/2.JPG",    "cat/2019/may/3.jpeg",
                     "cat/.hidden.jpg", "cat/Thumbs.db",     "cat/4.webp",
                     "cat/notes.txt",   "dog/deep/er/1.png", "dog/deep/er/2.png",
                     "stray.jpg",       "list.txt",          ".git/x.jpg",
                     "empty/",          "none/none/",        "@eaDir/cat/1.jpg"};
  const Dataset data = folder.open();
  CHECK(data.classes == Names{"cat", "dog"});
  CHECK(pictures(data) == 5);
  CHECK(count(data, SkipRule::hidden) == 3);         // .hidden.jpg, .git, @eaDir
  CHECK(count(data, SkipRule::not_a_picture) == 3);  // Thumbs.db, notes.txt, list.txt
  CHECK(count(data, SkipRule::other_format) == 1);
  CHECK(count(data, SkipRule::no_class) == 1);
  CHECK(count(data, SkipRule::empty_class) == 2);
  CHECK(data.skipped.size() == 10);
  CHECK(has(summary(data.skipped), "10 skipped: 3 hidden"));
  CHECK(has(folder.error({.strict = true}), "stray.jpg: lies in no class folder"));

  const Pictures one = {"animals/cat/1.jpg", "animals/dog/1.jpg"};
  CHECK(has(one.error(), "animals meant, with cat, dog?"));
  const Pictures other = {"cat/1.webp", "dog/1.webp"};
  CHECK(has(other.error(), "2 skipped: 2 a picture of another format"));
  CHECK(has(other.error(), "cat/1.webp: .webp pictures are not read"));
}

TEST_CASE("layout: symbolic links, loops, pipes and links to nothing") {
  Pictures folder = {"cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/2.jpg"};
  const TemporaryFolder elsewhere;
  put_bytes(elsewhere / "more/3.jpg", "");
  fs::create_directory_symlink(elsewhere.path, folder / "dog/linked");
  fs::create_directory_symlink(folder / "cat", folder / "cat/loop");
  fs::create_directory_symlink(folder.path, folder / "cat/up");
  fs::create_directory_symlink("/", folder / "root");
  fs::create_directory_symlink("self", folder / "self");
  fs::create_symlink(folder / "nowhere.jpg", folder / "cat/broken.jpg");
  fs::create_symlink(folder / "dog/1.jpg", folder / "cat/3.jpg");
  REQUIRE(::mkfifo((folder / "dog/pipe.jpg").c_str(), 0600) == 0);
  const Dataset data = folder.open();
  CHECK(data.classes == Names{"cat", "dog"});
  CHECK(pictures(data) == 6);
  CHECK(count(data, SkipRule::repeated) == 3);    // cat/loop, cat/up, root
  CHECK(count(data, SkipRule::no_access) == 1);   // self
  CHECK(count(data, SkipRule::unreadable) == 2);  // broken.jpg, pipe.jpg
  bool pipe = false;
  for (const Skipped& s : data.skipped) pipe |= has(s.reason, "a named pipe, not a file");
  CHECK(pipe);

  // Folders that link to each other have a number of ways that grows with the factorial.
  Pictures net = {"a/0/x.jpg", "b/0/x.jpg"};
  for (int i = 1; i < 12; ++i) fs::create_directories(net / ("a/" + std::to_string(i)));
  for (int i = 0; i < 12; ++i)
    for (int j = 0; j < 12; ++j)
      if (i != j)
        fs::create_directory_symlink(net / ("a/" + std::to_string(j)),
                                     net / ("a/" + std::to_string(i) + "/to" + std::to_string(j)));
  CHECK(net.open().classes == Names{"a", "b"});
}

TEST_CASE("layout: a folder that cannot be opened is skipped with a note") {
  if (::geteuid() != 0) MESSAGE("as this user, who is not root");
  Pictures folder = {"cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/private/2.jpg", "found/"};
  const Pictures parts = {"train/a/1.jpg", "train/b/1.jpg", "test/a/2.jpg", "test/b/2.jpg"};
  for (const fs::path& path : {folder.path, parts.path}) fs::permissions(path, fs::perms::all);
  for (const char* name : {"dog/private", "found"}) fs::permissions(folder / name, fs::perms::none);
  fs::permissions(parts / "test/b", fs::perms::none);  // one entry, not also "without pictures"
  const pid_t child = ::fork();                        // another user, who owns nothing here
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
    try {
      const Dataset data = open_dataset(folder.path);
      const bool right =
          data.classes == Names{"cat", "dog"} && pictures(data) == 3 &&
          count(data, SkipRule::no_access) == 2 && data.skipped.size() == 2 &&
          parts.open().skipped.size() == 1 && parts.open().test.size() == 1 &&
          has(message_of<FileError>([&] { open_dataset(folder.path, {.strict = true}); }),
              "cannot be listed: Permission denied");
      ::_exit(right ? 0 : 1);
    } catch (...) {
      ::_exit(3);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  for (const char* name : {"dog/private", "found"}) fs::permissions(folder / name, fs::perms::all);
  fs::permissions(parts / "test/b", fs::perms::all);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("layout: the classes of a network to be evaluated") {
  const Pictures folder = {"cat/1.jpg", "cat/2.jpg", "dog/1.jpg"};
  const Dataset data = folder.open({.classes = {"bird", "cat", "dog"}});
  CHECK(data.classes.size() == 3);
  CHECK(pictures(data) == 3);
  CHECK(data.train.label(0) == 1);
  const Pictures only = {"dog/1.jpg"};
  CHECK(pictures(only.open({.classes = {"cat", "dog"}})) == 1);
  const Pictures test = {"test/dog/1.jpg", "test/cat/1.jpg"};
  CHECK(test.open({.classes = {"cat", "dog"}}).test.size() == 2);
  const Pictures named = {"cat/1.jpg", "dog/1.jpg", "test/1.jpg"};  // which is a class, as is known
  CHECK(pictures(named.open({.classes = {"cat", "dog", "test"}})) == 3);
  CHECK(has(folder.error({.classes = {"Cat", "dog"}}),
            "there is \"Cat\", which differs only in "
            "capital and small letters"));
}

TEST_CASE("class names: the same in every spelling of Unicode") {
  const std::string composed = "caf\xC3\xA9", decomposed = "cafe\xCC\x81";
  if (!compares_unicode()) {
    MESSAGE("skipped: built without utf8proc");
    return;
  }
  CHECK(canonical(decomposed) == composed);
  CHECK(canonical("\xFF\xFE") == "\xFF\xFE");
  CHECK(same_names({"tea", composed}, {"tea", decomposed}));
  TemporaryFolder folder;
  put_bytes(folder / ("train/" + composed + "/1.jpg"), "");
  put_bytes(folder / "train/tea/1.jpg", "");
  put_bytes(folder / ("test/" + decomposed + "/1.jpg"), "");
  const Dataset data = open_dataset(folder.path);
  CHECK(data.test.size() == 1);
  CHECK(data.classes[static_cast<std::size_t>(data.test.label(0))] == composed);
  put_bytes(folder / ("train/" + decomposed + "/2.jpg"), "");
  CHECK(has(message_of<FileError>([&] { open_dataset(folder.path); }),
            "have the same name in two spellings of Unicode"));
  // Hangul, several marks in another order, and a letter that only looks the same.
  CHECK(canonical("\xED\x95\x9C") == canonical("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB"));
  CHECK(canonical("q\xCC\x87\xCC\xA3") == canonical("q\xCC\xA3\xCC\x87"));
  const ClassNames names({"Cat", "dog house"});
  CHECK(has(names.explain_missing("cat"), "differs only in capital and small letters"));
  CHECK(has(names.explain_missing("dog\xC2\xA0house"), "looks like"));
  CHECK(has(names.explain_missing("c\xD0\xB0t"), "63 d0 b0 74"));
}

TEST_CASE("class names: two hundred thousand of them") {
  Names many;
  for (int i = 0; i < 200'000; ++i) many.push_back("class " + std::to_string(i));
  const ClassNames names(many);
  CHECK(names.find("class 199999") == 199'999);
  CHECK(names.explain_missing("none").size() < 400);
  CHECK(names_text({"a", "b"}) == "a, b");
}

TEST_CASE("layout: ILSVRC-2012's validation pictures in one folder, with a list of their classes") {
  const Pictures set = {"train/n02/a.JPEG", "train/n02/b.JPEG", "train/n01/c.JPEG",
                        "val/v_1.JPEG",     "val/v_2.JPEG",     "val/v_3.JPEG"};
  CHECK(has(set.error(), "which lie in no class folders"));
  const auto expect = [&](const std::string& list, const std::string& text) {
    CAPTURE(text);
    put_bytes(set / list, text);
    const Dataset data = set.open();
    CHECK(data.kind == Layout::train_test);
    CHECK(data.classes == Names{"n01", "n02"});
    CHECK(data.train.size() == 3);
    REQUIRE(data.test.size() == 3);
    for (std::int64_t i = 0; i < 3; ++i) {
      const std::string name = data.test.name(i);
      CHECK(fs::exists(name));
      CHECK(data.test.label(i) == (name.ends_with("v_2.JPEG") ? 0 : 1));
    }
    CHECK(data.skipped.empty());
    fs::remove(set / list);
  };
  expect("val.txt", "v_1.JPEG 1\nv_2.JPEG 0\nv_3.JPEG 1\n");
  expect("val/val.txt", "v_3.JPEG n02\r\nv_2.JPEG n01\r\nv_1.JPEG n02");
  expect(
      "LOC_val_solution.csv",
      "ImageId,PredictionString\nv_2,n01 1 2 3 4 \nv_1,n02 5 6 7 8 n02 1 2 3 4\nv_3,n02 1 1 1 1\n");

  const auto error = [&](const std::string& text) {
    put_bytes(set / "val.txt", text);
    return set.error();
  };
  CHECK(has(error("v_1.JPEG 2\n"), "val.txt: line 1: \"2\" is neither one of the 2 classes"));
  CHECK(has(error("v_1.JPEG 1\n\nv_1.JPEG 0\n"), "line 3: v_1.JPEG has a class already"));
  CHECK(
      has(error("v_1.JPEG\n"), "line 1: \"v_1.JPEG\" is not the name of a picture and its class"));
  put_bytes(set / "val.txt", "v_1.JPEG 1\nv_2.JPEG 0\nother.JPEG 0\n");
  const Dataset data = set.open();
  CHECK(data.test.size() == 2);
  CHECK(count(data, SkipRule::no_class) == 1);
  CHECK(count(data, SkipRule::incomplete) == 1);
}
