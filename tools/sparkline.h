#pragma once
// A curve in one line of text, and the line that a training draws while it runs.
#include <string>
#include <vector>

#include "training/trainer.h"

namespace limulus::tools {

// The values from left to right in `width` characters, each the mean of as many values as stand for
// one: "█▆▄▃▂▂▁▁", from the least mean (the lowest block) to the largest (the full one). Fewer
// values than characters give fewer. A place whose values are not all numbers is shown as "!".
std::string sparkline(const std::vector<float>& values, int width);

// Whether the terminal can show blocks: it is one that draws a line again, and the environment's
// character set is UTF-8 (LC_ALL, LC_CTYPE or LANG, the first that is set). The text console of
// Linux is none: its font has three of them.
bool shows_blocks();

// "epoch  3/28 [===>    ] loss 1.214 ▇▅▄▃▂▁  accuracy 51.3 %  70.1 images/s  3 min 05 s left", of
// at most `columns` characters. The curve of `losses`, of the whole run so far, is there where
// `blocks` and its room allow it: on a narrow terminal it takes the place of the bar, then that of
// the speed.
std::string step_line(const StepInfo& step, const std::vector<float>& losses, int columns,
                      bool blocks);

}  // namespace limulus::tools
