#pragma once
// The figures of the paper (Krizhevsky, Sutskever and Hinton 2012), for a network of your own. Each
// is a page that needs no server and no network.
//
//   figure_race.cpp          1  training error of a network with ReLU and with tanh
//   figure_architecture.cpp  2  the layers, to scale
//   figure_filters.cpp       3  the first convolution's filters, tower by tower, and what differs
//   figure_answers.cpp       4  photographs with their likeliest classes and nearest neighbours
#include <optional>
#include <string>
#include <vector>

#include "pages/html.h"
#include "pages/plot.h"
#include "training/relu_race.h"
#include "training/report/neighbours.h"
#include "training/trained_model.h"

namespace limulus {

// A figure's page: a title and a body, both HTML, the command that made it, and what it is.
std::string figure_page(const std::string& title, const std::string& body,
                        const std::string& command,
                        const std::string& kind = "a figure of the paper");

// The five likeliest classes as a list, with bars; the class `truth` stands out.
std::string guesses(const TrainedModel& trained, const std::vector<float>& probabilities,
                    std::optional<std::int64_t> truth = {});

// Figure 1, of an experiment that was made, and its plot alone. `data`: the set's name.
LinePlot race_plot(const Race& race);
std::string figure_race(const Race& race, const std::string& data, const std::string& command);

// Figure 2. The layers of a walk (Module::walk of one image) as an SVG: maps to one scale, rows of
// values to another one, in as many towers as the convolutions have groups.
std::string architecture_svg(const std::vector<WalkStep>& walk);
// The same with its style, as a complete file.
std::string architecture_file(const std::vector<WalkStep>& walk);
std::string figure_architecture(const std::string& model, const std::vector<WalkStep>& walk,
                                const std::string& command);

// Figure 3. `start` is the same network as the run began with it (initial_model in trainer.h); null
// where its first weights were not drawn, but came from a file (TrainConfig::init), and what was
// learned here cannot be told from what was known. ValueError where it has no convolution.
std::string figure_filters(const TrainedModel& trained, Module* start, const std::string& command);
// The filters alone, tower below tower. ValueError as above.
html::Picture filters_picture(const TrainedModel& trained);

// Figure 4.
struct FigurePhotograph {
  std::string name;
  Image picture;                      // what the network is shown of it
  std::optional<std::int64_t> truth;  // its class, where that is known
  std::vector<float> probabilities;   // of all classes
  Neighbours neighbours;
};
std::string figure_answers(const TrainedModel& trained,
                           const std::vector<FigurePhotograph>& photographs,
                           const std::string& command);

}  // namespace limulus
