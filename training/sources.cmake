# Included by CMakeLists.txt in the repository's folder, where all paths begin.
# What a report says of the build that made it.
execute_process(COMMAND git -C ${PROJECT_SOURCE_DIR} describe --always --dirty
                OUTPUT_VARIABLE LIMULUS_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT LIMULUS_COMMIT)
  set(LIMULUS_COMMIT unknown)
endif()
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
set_source_files_properties(
  training/provenance.cpp
  PROPERTIES COMPILE_DEFINITIONS
             "LIMULUS_VERSION=\"${PROJECT_VERSION}\";LIMULUS_COMMIT=\"${LIMULUS_COMMIT}\";\
LIMULUS_COMPILER=\"${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}\";\
LIMULUS_FLAGS=\"${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}}\"")
