#pragma once

// The styles and scripts beside this file, as the build makes them part of the library
// (cmake/embed_texts.cmake): look.css is look_css().
namespace limulus::report {

const char* figures_css();
const char* look_css();
const char* look_units_js();
const char* look_page_js();
const char* watch_css();
const char* snapshots_js();
const char* live_js();

}  // namespace limulus::report
