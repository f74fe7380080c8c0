// Snapshots of a run, the series in its folder, and the live page: they change no bit of the run,
// a resumed run goes on with them, and what is damaged or of another run is refused.
#include <doctest/doctest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <string>

#include "core/error.h"
#include "temporary_folder.h"
#include "tiny_task.h"
#include "training/report/live.h"
#include "training/report/report.h"
#include "training/report/snapshot_series.h"
#include "training/trainer.h"

using namespace limulus;

namespace {

namespace fs = std::filesystem;

// A run that keeps a snapshot after each epoch, and stops after `last` of them.
struct Watched {
  std::atomic<bool> stop{false};
  std::optional<SnapshotSeries> series;
  std::optional<Trainer> trainer;
  SeriesSubject subject;

  Watched(const TrainConfig& config, const fs::path& out, bool resumed, std::int64_t last) {
    TrainerOptions o = quiet(out);
    o.stop = &stop;
    o.on_epoch = [this, last](const EpochRecord& e) {
      series->add(e.epoch, take_snapshot(trainer->model(), subject.photograph.input), &e);
      stop = e.epoch == last;
    };
    trainer.emplace(config, o);
    if (resumed) trainer->resume(trainer->checkpoint_path());
    subject = {config, trainer->dataset().classes, trainer->first_photograph().value()};
    series.emplace(out);
    series->begin(subject, resumed, trainer->epoch());
    if (trainer->epoch() == 0)
      series->add(0, take_snapshot(trainer->model(), subject.photograph.input), nullptr);
    trainer->run();
  }
};

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("a snapshot shows filters, maps and classes, and changes nothing") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  Trainer t(tiny_config(folder.path / "data"), quiet(folder.path / "out"));
  const Photograph p = t.first_photograph().value();
  CHECK(p.part == "held out");
  CHECK(p.label == 0);
  CHECK(p.input.shape() == Shape{1, 1, 28, 28});
  CHECK(p.picture.width == 28);
  t.model().train();
  const Snapshot s = take_snapshot(t.model(), p.input);
  CHECK(t.model().training());
  CHECK(s.filters_size == "6 of 5×5×1");
  REQUIRE(s.maps.size() == 2);
  CHECK(maps_text(s.maps[0]) == "the 6 maps of relu1, 28×28 each");
  CHECK(s.maps[1].maps == 16);
  double sum = 0;
  for (const float q : s.probabilities) sum += static_cast<double>(q);
  CHECK(sum == doctest::Approx(1));
}

TEST_CASE("of many maps, evenly spaced ones are shown; of many classes, the likeliest") {
  SnapshotMaps m{.layer = "relu1", .maps = 96, .shown = 24, .height = 55, .width = 55};
  CHECK(maps_text(m) == "24 of the 96 maps of relu1, 55×55 each");
  std::vector<float> p(12, 0.05F);
  p[11] = 0.45F;
  CHECK(shown_classes(p).size() == 10);
  CHECK(shown_classes(p)[0] == 11);
  CHECK(shown_classes({0.1F, 0.9F}) == std::vector<std::int64_t>{0, 1});
}

TEST_CASE("stopped and resumed, a series has the same pictures as that of one long run") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  const TrainConfig config = tiny_config(folder.path / "data");
  Trainer bare(config, quiet(folder.path / "bare"));
  bare.run();
  const Watched whole(config, folder.path / "whole", false, 99);
  CHECK(whole.series->count() == 4);  // the start, and three epochs
  { const Watched part(config, folder.path / "part", false, 1); }
  // What was kept behind the checkpoint, by a run that was killed then, is made again.
  put_bytes(folder.path / "part/snapshots/epoch-0003-filters.png", "of a killed run");
  const Watched rest(config, folder.path / "part", true, 99);

  const auto names = names_in(folder.path / "whole/snapshots");
  CHECK(names == names_in(folder.path / "part/snapshots"));
  CHECK(names.size() == 4 * 3 + 2);  // filters and maps of two layers, an index, a photograph
  for (const std::string& name : names)
    if (name.ends_with(".png"))
      CHECK_MESSAGE(get_bytes(folder.path / "whole/snapshots" / name) ==
                        get_bytes(folder.path / "part/snapshots" / name),
                    name);
  CHECK(get_bytes(folder.path / "whole/snapshots/index.json") ==
        get_bytes(folder.path / "part/snapshots/index.json"));
  // The run itself is the one without snapshots.
  for (const auto* run : {&whole, &rest})
    for (std::size_t i = 0; i < bare.model().parameters().size(); ++i)
      CHECK(bare.model().parameters()[i].second.to_vector<float>() ==
            run->trainer->model().parameters()[i].second.to_vector<float>());
  const std::vector<std::string>& classes = bare.dataset().classes;
  CHECK(snapshots_beside(folder.path / "whole/checkpoint.safetensors", config, classes) == 4);
  TrainConfig other = config;
  other.seed = 2;
  CHECK(snapshots_beside(folder.path / "whole/checkpoint.safetensors", other, classes) == 0);
  CHECK(snapshots_beside(folder.path / "bare/checkpoint.safetensors", config, classes) == 0);
  CHECK(snapshots_beside(folder.path / "whole/checkpoint.safetensors", config, {"a", "b"}) == 0);
}

TEST_CASE("the page holds every snapshot, and nothing from elsewhere") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  const Watched run(tiny_config(folder.path / "data"), folder.path / "out", false, 99);
  const std::string page = get_bytes(run.series->page());
  CHECK(page.size() == run.series->page_bytes());
  CHECK(page.size() < 400'000);
  CHECK(run.series->bytes() > 1000);
  for (const char* part : {"type=\"range\" min=\"0\" max=\"3\" value=\"3\"", "After epoch 3 of 3",
                           "Before the first step", "4 snapshots.", "the 6 maps of relu1"})
    CHECK_MESSAGE(has(page, part), part);
  for (const char* outside : {"http:", "https:", "url(", "<link", "@import", "nan%"})
    CHECK_FALSE(has(page, outside));
}

TEST_CASE("a new run takes an earlier one's place; a damaged or foreign series is refused") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  const TrainConfig config = tiny_config(folder.path / "data");
  const fs::path out = folder.path / "out", index = out / "snapshots/index.json";
  { const Watched first(config, out, false, 99); }
  put_bytes(out / "snapshots/mine.png", "somebody's");
  put_bytes(out / "snapshots/epoch-notes.png", "somebody's");
  { const Watched second(config, out, false, 1); }
  CHECK(fs::exists(out / "snapshots/epoch-0001-filters.png"));
  CHECK_FALSE(fs::exists(out / "snapshots/epoch-0002-filters.png"));
  CHECK(get_bytes(out / "snapshots/mine.png") == "somebody's");
  CHECK(get_bytes(out / "snapshots/epoch-notes.png") == "somebody's");

  Trainer t(config, quiet(out));
  const auto begun = [&](const TrainConfig& c) {
    return message_of<FileError>([&] {
      SnapshotSeries series(out);
      series.begin({c, t.dataset().classes, t.first_photograph().value()}, true, 1);
    });
  };
  CHECK(begun(config).empty());
  TrainConfig other = config;
  other.seed = 5;
  CHECK(has(begun(other), "another run or photograph (settings differs)"));
  const std::string whole = get_bytes(index);
  for (const std::string& damaged :
       {std::string(), std::string("[]"), std::string("{}"), whole.substr(0, whole.size() / 2),
        std::string(R"({"settings":1,"snapshots":[{"epoch":-1}]})"),
        std::string(R"({"settings":1,"snapshots":[{"epoch":"a"}]})"), std::string(3, '\0'),
        // Nested so deep that what copies it by recursion would leave the stack.
        R"({"settings":)" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "}"}) {
    put_bytes(index, damaged);
    CHECK_MESSAGE(has(begun(config), "index.json: this is not the index"), damaged.substr(0, 99));
    CHECK(get_bytes(index) == damaged);
    CHECK(snapshots_beside(out / "checkpoint.safetensors", config, t.dataset().classes) == 0);
  }
  // An index whose parts do not fit together, and pictures that are gone or are none.
  const auto changed = [&](const std::function<void(nlohmann::json&)>& change) {
    nlohmann::json j = nlohmann::json::parse(whole);
    change(j);
    put_bytes(index, j.dump());
    return begun(config);
  };
  const auto last = [](nlohmann::json& j) -> nlohmann::json& { return j["snapshots"].back(); };
  CHECK(has(changed([&](auto& j) { last(j)["probabilities"] = {0.5}; }), "does not fit"));
  CHECK(has(changed([&](auto& j) { last(j)["pictures"][0].erase("file"); }), "is damaged"));
  for (const std::string& file : {std::string("../../data/x"), std::string("epoch-1-/../x.png"),
                                  std::string("epoch-1-a\0b.png", 16), std::string("..")})
    CHECK_MESSAGE(
        has(changed([&](auto& j) { last(j)["pictures"][0]["file"] = file; }), "is damaged"), file);
  CHECK(has(changed([&](auto& j) { j["snapshots"][0]["probabilities"] = {0.1}; }), "damaged"));
  put_bytes(index, whole);
  put_bytes(out / "snapshots/epoch-0001-filters.png", "no PNG");
  CHECK(has(begun(config), "epoch-0001-filters.png: this is not a PNG any more"));
  fs::remove(out / "snapshots/epoch-0001-filters.png");
  CHECK(has(begun(config), "epoch-0001-filters.png: "));
  CHECK(has(begun(config), "move the folder away"));
  // The same names, but another picture.
  put_bytes(out / "snapshots/photograph.png", "another");
  CHECK(has(begun(config), "another run or photograph (photograph.png differs)"));
  CHECK(get_bytes(out / "snapshots/photograph.png") == "another");
  CHECK(get_bytes(index) == whole);
}

TEST_CASE("the live page asks for news while the run goes on, and not when it has ended") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  const TrainConfig config = tiny_config(folder.path / "data");
  Trainer t(config, quiet(folder.path / "out"));
  t.run();
  const SeriesSubject subject = {config, t.dataset().classes, t.first_photograph().value()};
  const auto sight = take_snapshot(t.model(), subject.photograph.input);
  const auto page = [&](LiveState state, const std::string& error = "") {
    return live_page(t.report(), {state, "It <goes> on.", 1'800'000'000, error, true, true}, sight,
                     subject);
  };
  const std::string running = page(LiveState::running);
  CHECK(has(running, "location.reload()"));
  CHECK(has(running, "data-written=\"1800000000\""));
  CHECK(has(running, "It &lt;goes&gt; on."));
  CHECK(has(running, "Loss over epochs"));
  CHECK(has(running, "the 6 maps of relu1"));
  CHECK(has(running, "filters of 5×5×1 in a grid"));
  CHECK_FALSE(has(running, "http-equiv"));
  for (const LiveState ended : {LiveState::finished, LiveState::stopped, LiveState::failed}) {
    const std::string last = page(ended, ended == LiveState::failed ? "the loss <became> nan" : "");
    CHECK_FALSE(has(last, "<script"));
    CHECK_FALSE(has(last, "reload"));
    CHECK(has(last, "href=\"report.html\""));
    CHECK(has(last, "the loss &lt;became&gt; nan") == (ended == LiveState::failed));
  }
  // A run without one step, and without a photograph.
  Trainer fresh(config, quiet(folder.path / "fresh"));
  CHECK(has(live_page(fresh.report(), {}, {}, subject), "no curve to draw"));
}

TEST_CASE("the report links the snapshots, where there are some") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  Trainer t(tiny_config(folder.path / "data"), quiet(folder.path / "out"));
  RunReport r = t.report();
  write_report(folder / "without.html", r);
  CHECK_FALSE(has(get_bytes(folder / "without.html"), "snapshots.html"));
  r.snapshots = 4;
  write_report(folder / "with.html", r);
  CHECK(has(get_bytes(folder / "with.html"),
            "<a href=\"snapshots.html\">How they formed</a>: 4 snapshots"));
}

TEST_CASE("of a run that goes on from an older checkpoint, what was kept behind it is dropped") {
  const TemporaryFolder folder;
  write_tiny_mnist(folder.path / "data");
  const fs::path out = folder.path / "out";
  const Watched run(tiny_config(folder.path / "data"), out, false, 99);
  SnapshotSeries series(out);
  series.begin(run.subject, true, 1);
  CHECK(series.count() == 2);  // the start, and epoch 1
  CHECK(fs::exists(out / "snapshots/epoch-0001-filters.png"));
  CHECK_FALSE(fs::exists(out / "snapshots/epoch-0002-filters.png"));
  CHECK_FALSE(fs::exists(out / "snapshots/epoch-0003-relu1.png"));
  CHECK_FALSE(has(get_bytes(out / "snapshots/index.json"), "epoch-0002"));
  CHECK(has(get_bytes(series.page()), "2 snapshots."));
}
