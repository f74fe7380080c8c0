#pragma once

// The styles and scripts beside this file, as the build makes them part of the library
// (cmake/embed_texts.cmake): look.css is look_css().
namespace limulus::report {

const char* figures_css();
const char* look_css();
const char* look_units_js();
const char* look_page_js();

}  // namespace limulus::report
