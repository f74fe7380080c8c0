#pragma once
// `limulus train --find-rate`.
#include <CLI/CLI.hpp>
#include <string>

#include "training/config.h"

namespace limulus::tools {

// Sweeps the rates of a run with this configuration (training/rate_sweep.h), prints what came out,
// and writes OUT/rates.html. `init`: TrainerOptions::init. No checkpoint is written.
void find_rate(const CLI::App& command, const TrainConfig& config, const std::string& out,
               int workers, const std::string& init);

}  // namespace limulus::tools
