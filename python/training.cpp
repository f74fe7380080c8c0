// limulus.Trainer: what `limulus train` does, from Python (training/trainer.h).
#include "training/trainer.h"

#include <fmt/core.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/shared_ptr.h>

#include <exception>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/names.h"
#include "python/bindings.h"
#include "training/recipes.h"

namespace limulus::python {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// The recipe's settings, with `changed` in their places.
TrainConfig config_from(const std::string& data, const std::string& model,
                        const std::string& recipe, const nb::kwargs& changed) {
  Json settings = Json::parse(default_config(model, recipe).to_json());
  settings["data"] = data;
  const auto text = nb::cast<std::string>(nb::module_::import_("json").attr("dumps")(changed));
  const Json given = Json::parse(text);
  for (const auto& [name, value] : given.items()) {
    if (!settings.contains(name)) {
      std::vector<std::string> names;
      for (const auto& [known, v] : settings.items()) names.push_back(known);
      throw ValueError(
          fmt::format("Trainer: there is no setting '{}'{}", name, known_names(name, names)));
    }
    settings[name] = value;
  }
  return TrainConfig::from_json(settings.dump());
}

nb::dict dict_of(const EpochRecord& e) {
  nb::dict d;
  d["epoch"] = e.epoch;
  d["loss"] = e.train_loss;
  d["accuracy"] = e.train_top1;
  d["held_out_loss"] = e.test_loss;
  d["held_out_accuracy"] = e.test_top1;
  d["lr"] = e.lr;
  d["seconds"] = e.seconds;
  return d;
}

// A run, and what Python has to do with it.
struct PythonTrainer {
  std::unique_ptr<Trainer> trainer;
  fs::path out;
  std::atomic<bool> stop = false;
  std::exception_ptr interrupt;  // Ctrl-C, told when the checkpoint is written

  void look_for_ctrl_c() {
    const Calling calling;
    if (interrupt || PyErr_CheckSignals() == 0) return;
    interrupt = std::make_exception_ptr(nb::python_error());
    stop = true;
  }

  bool run() {
    stop = false;
    bool finished = false;
    {
      const Computing computing;
      finished = trainer->run();
    }
    if (const std::exception_ptr told = std::exchange(interrupt, nullptr))
      std::rethrow_exception(told);
    return finished;
  }
};

std::shared_ptr<PythonTrainer> make(const std::string& data, const std::string& model,
                                    const std::string& recipe, const fs::path& out,
                                    const std::optional<fs::path>& init, bool resume,
                                    const std::optional<nb::callable>& on_epoch,
                                    const nb::kwargs& settings) {
  TrainConfig config = config_from(data, model, recipe, settings);
  auto self = std::make_shared<PythonTrainer>();
  TrainerOptions options;
  options.out = self->out = out;
  options.init = init.value_or(!resume && is_model_file(model) ? fs::path(model) : fs::path());
  options.stop = &self->stop;
  options.on_step = [s = self.get()](const StepInfo&) { s->look_for_ctrl_c(); };
  if (on_epoch)
    options.on_epoch = [f = kept(nb::callable(*on_epoch))](const EpochRecord& e) {
      const Calling calling;
      (*f)(dict_of(e));
    };
  const Computing computing;
  self->trainer = std::make_unique<Trainer>(std::move(config), std::move(options));
  if (resume) self->trainer->resume(self->trainer->checkpoint_path());
  return self;
}

nb::dict evaluate(PythonTrainer& self, bool ten_crop) {
  Evaluation e;
  {
    const Computing computing;
    e = self.trainer->evaluate(ten_crop);
  }
  nb::dict d;
  d["images"] = e.images;
  d["loss"] = e.loss;
  d["top1"] = e.metrics.top1();
  d["top5"] = e.metrics.top5();
  return d;
}

}  // namespace

void bind_training(nb::module_& m) {
  nb::class_<PythonTrainer>(
      m, "Trainer",
      "A run of `limulus train`: photographs by class become a trained network and a checkpoint.")
      .def(
          nb::new_(&make), "data"_a, nb::kw_only(), "model"_a = "alexnet", "recipe"_a = "default",
          "out"_a = "runs/latest", "init"_a = nb::none(), "resume"_a = false,
          "on_epoch"_a = nb::none(), "settings"_a,
          // No nb::sig: nanobind takes none where new_() binds.
          "Opens the pictures and makes the network. Settings have the names of a checkpoint's "
          "config: epochs, batch, lr, seed, device, freeze ...; ValueError lists them. on_epoch is "
          "called with a dict after each epoch. With resume the checkpoint in `out` goes on.")
      .def(
          "run", &PythonTrainer::run,
          "Trains to the last epoch and writes the checkpoint. Ctrl-C saves it, too, and is then a "
          "KeyboardInterrupt. LossError when the loss stops being a number.")
      .def("evaluate", &evaluate, "ten_crop"_a = false,
           nb::sig("def evaluate(self, ten_crop: bool = False) -> dict"),
           "The held-out pictures: images, loss, top1 and top5, which are fractions.")
      .def_prop_ro(
          "model",
          [](const std::shared_ptr<PythonTrainer>& self) {
            return std::shared_ptr<Module>(self, &self->trainer->model());
          },
          "The network.")
      .def_prop_ro(
          "classes", [](const PythonTrainer& self) { return self.trainer->dataset().classes; },
          "The names of the classes, in order.")
      .def_prop_ro(
          "config",
          [](const PythonTrainer& self) {
            return nb::module_::import_("json").attr("loads")(self.trainer->config().to_json());
          },
          nb::sig("def config(self) -> dict"), "All settings.")
      .def_prop_ro(
          "epochs",
          [](const PythonTrainer& self) {
            nb::list all;
            for (const EpochRecord& e : self.trainer->report().epochs) all.append(dict_of(e));
            return all;
          },
          nb::sig("def epochs(self) -> list[dict]"), "What on_epoch was told.")
      .def_prop_ro(
          "checkpoint", [](const PythonTrainer& self) { return self.trainer->checkpoint_path(); },
          "The file of the checkpoint, for limulus.load.")
      .def("__repr__", [](const PythonTrainer& self) {
        const TrainConfig& c = self.trainer->config();
        return fmt::format("limulus.Trainer: {} on {}, {} epochs", c.model, c.data, c.epochs);
      });
}

}  // namespace limulus::python
