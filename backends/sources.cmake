# Included by CMakeLists.txt in the repository's folder, where all paths begin.
# What a plugin is compiled with (backends/plugin.h): the headers, and a file that tells which they were.
file(GLOB LIMULUS_INTERFACE CONFIGURE_DEPENDS core/*.h backends/*.h backends/cpu/*.h layers/*.h
                                              gradcheck/*.h)
set(LIMULUS_STAMP ${PROJECT_BINARY_DIR}/stamp/backends/plugin_stamp.h)
add_custom_command(
  OUTPUT ${LIMULUS_STAMP}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${LIMULUS_STAMP} -DVERSION=${PROJECT_VERSION}
          "-DHEADERS=${LIMULUS_INTERFACE}" -P ${PROJECT_SOURCE_DIR}/cmake/plugin_stamp.cmake
  DEPENDS ${LIMULUS_INTERFACE} ${PROJECT_SOURCE_DIR}/cmake/plugin_stamp.cmake
  VERBATIM)
add_custom_target(limulus_stamp_file ALL DEPENDS ${LIMULUS_STAMP})
add_dependencies(limulus limulus_stamp_file)  # who builds the library alone can install it, too
add_library(limulus_stamp INTERFACE)
add_dependencies(limulus_stamp limulus_stamp_file)
target_include_directories(limulus_stamp INTERFACE ${PROJECT_BINARY_DIR}/stamp)
include(cmake/limulus-plugin.cmake)
