#pragma once
// A plugin: backends in a shared object of their own, for `limulus gradcheck --plugin mine.so` and
// the program's other commands.
//
//   #include <limulus/backends/plugin.h>
//   void limulus_plugin() { limulus::add_device(std::make_unique<MyPool>()); }
//
// and, in CMake, limulus_add_plugin(mine mine.cpp), which finds the headers and does not link the
// library: the program has all of it, and there must be one registry, not two. docs/kernel.md goes
// on.
#include "backends/plugin_stamp.h"
#include "backends/registry.h"

// What a plugin has to define: it adds its devices. The program calls it once, before anything
// else; what it throws ends the program with that message.
extern "C" [[gnu::visibility("default")]] void limulus_plugin();

// Of which interface a plugin was compiled with the headers: objects of one class have to look the
// same on both sides. The program compares it with its own before it calls anything. (Weak: several
// files of a plugin may include this one. Used: nothing in the plugin itself reads it.)
extern "C" {
[[gnu::weak, gnu::used, gnu::visibility("default")]] const char* limulus_plugin_stamp =
    limulus::plugin_stamp;
}
