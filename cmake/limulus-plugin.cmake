# limulus_add_plugin(NAME SOURCES...): NAME.so, a plugin for `limulus --plugin` (backends/plugin.h).
# It gets the library's headers, but is not linked with it: the program brings the library along, and
# a second copy would have a registry of devices of its own.
function(limulus_add_plugin name)
  add_library(${name} MODULE ${ARGN})
  target_compile_features(${name} PRIVATE cxx_std_20)
  target_include_directories(
    ${name} PRIVATE $<TARGET_PROPERTY:limulus::limulus,INTERFACE_INCLUDE_DIRECTORIES>)
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX .so CXX_EXTENSIONS OFF)
endfunction()
