# Writes the header that tells plugins and the program which interface they were compiled with
# (backends/plugin.h): the version, and a hash of all headers of which a plugin may hold objects.
#   cmake -DOUTPUT=FILE -DVERSION=0.1.0 "-DHEADERS=a.h;b.h" -P plugin_stamp.cmake
set(all "")
foreach(header IN LISTS HEADERS)
  file(SHA256 ${header} hash)
  string(APPEND all ${hash})
endforeach()
string(SHA256 hash "${all}")
string(SUBSTRING ${hash} 0 12 hash)
file(WRITE ${OUTPUT} "#pragma once
// Made by cmake/plugin_stamp.cmake.
namespace limulus {
constexpr const char* plugin_stamp = \"limulus ${VERSION}, interface ${hash}\";
}
")
