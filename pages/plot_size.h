#pragma once

// A plot's own units; the page scales it. It is drawn narrow, so that its letters are still
// readable on a telephone.
namespace limulus::plot_size {

constexpr double kWidth = 500, kHeight = 310;
constexpr double kLeft = 66, kRight = 12, kTop = 20, kBottom = 46;

}  // namespace limulus::plot_size
