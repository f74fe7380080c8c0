#include <cxxabi.h>

#include <cstdlib>
#include <iostream>

// Called in place of a function that no file defines (grader/build.py puts it in).
extern "C" [[noreturn]] void course_missing(const char* name) {
  char* readable = abi::__cxa_demangle(name, nullptr, nullptr, nullptr);
  std::cerr << (readable != nullptr ? readable : name)
            << " is called but defined nowhere: does its file compile, and is its signature the "
               "header's?\n";
  std::_Exit(3);
}
