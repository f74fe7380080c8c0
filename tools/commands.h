#pragma once
// The subcommands of the `limulus` program: one file each. add_X describes its options to CLI11 and
// what to run; a command returns its exit status: 0 done, 1 failed (main prints the error).
#include <CLI/CLI.hpp>

#include <cstddef>
#include <optional>
#include <string>

#include "core/dtype.h"

namespace limulus::tools {

void add_explain(CLI::App& app);
void add_train(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_predict(CLI::App& app);
void add_look(CLI::App& app);
void add_report(CLI::App& app);
void add_figure(CLI::App& app);
void add_gradcheck(CLI::App& app);
void add_compare(CLI::App& app);
void add_bench(CLI::App& app);
void add_bench_ladder(CLI::App& bench);
void add_scale(CLI::App& app);
void add_devices(CLI::App& app);
void add_tune(CLI::App& app);  // a build without OpenCL has none
void add_convert(CLI::App& app);
void add_import(CLI::App& app);
void add_new(CLI::App& app);
void add_pack(CLI::App& app);
void add_manual(CLI::App& app);

// --weights f32 or bf16: how the fully connected layers' weights are kept (store_linear_weights in
// layers/linear.h). `weights` has to live until the command has run.
void add_weights_option(CLI::App& command, DType& weights);

// --flush-denormals (core/denormals.h): the flag, which has to live until the command has run.
void add_denormals_option(CLI::App& command, bool& flush);

// --layout and --test-folder: how a folder of pictures is read (training/data/dataset.h).
void add_layout_options(CLI::App& command, std::optional<std::string>& layout,
                        std::optional<std::string>& test_folder);

// --cache SIZE: how many bytes of decoded pictures are kept in memory. `bytes` has to live until
// the command has run.
inline constexpr std::size_t kDefaultCache = std::size_t{1} << 30;
void add_cache_option(CLI::App& command, std::size_t& bytes);

// What a command that ended without an error reports to the shell: a gradient check that found a
// wrong gradient ends with 1. main returns it.
void set_exit_status(int status);

}  // namespace limulus::tools
