#pragma once
// The style sheet of all pages: one column, system fonts, colours for light and dark.
namespace limulus::html {

const char* style();

}  // namespace limulus::html
