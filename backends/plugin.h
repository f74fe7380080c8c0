#pragma once
// A plugin: backends in a shared object of their own, for `limulus gradcheck --plugin mine.so` and
// the program's other commands.
//
//   #include <limulus/backends/plugin.h>
//   void limulus_plugin() { limulus::add_device(std::make_unique<MyPool>()); }
//
// and, in CMake, limulus_add_plugin(mine mine.cpp), which finds the headers and does not link the
// library: the program has all of it, and there must be one registry, not two. docs/kernel.md has
// more.
#include "backends/plugin_stamp.h"
#include "backends/registry.h"

// A plugin has to define this function, which adds its devices. The program calls it once, before
// anything else. If it throws, the program ends with that message.
extern "C" [[gnu::visibility("default")]] void limulus_plugin();

// Identifies the headers that a plugin was compiled with: objects of one class must look the same
// on both sides. The program compares it with its own before it calls anything. (Weak: several
// files of a plugin may include this one. Used: nothing in the plugin itself reads it.)
extern "C" {
[[gnu::weak, gnu::used, gnu::visibility("default")]] const char* limulus_plugin_stamp =
    limulus::plugin_stamp;
}
