# Builds PROJECT, which is outside of the build, against the copy that the test package_install has
# installed, as a reader would, and compares what its program prints (check_output.cmake). BUILD,
# GENERATOR, COMPILER and what check_output.cmake wants come from the command line.
set(work ${BUILD}/package)
file(REMOVE_RECURSE ${work}/build)
foreach(command
    "${CMAKE_COMMAND};-S;${PROJECT};-B;${work}/build;-G;${GENERATOR};\
-DCMAKE_CXX_COMPILER=${COMPILER};-DCMAKE_PREFIX_PATH=${work}/installed"
    "${CMAKE_COMMAND};--build;${work}/build")
  execute_process(COMMAND ${command} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endforeach()
file(STRINGS ${work}/build/CMakeCache.txt type REGEX "^CMAKE_BUILD_TYPE:")
if(NOT type MATCHES "=Release$" AND NOT GENERATOR MATCHES "Multi-Config")
  message(FATAL_ERROR "the project is built without optimization: ${type}")
endif()
set(PROGRAM ${work}/build/new_layer)
include(${CMAKE_CURRENT_LIST_DIR}/check_output.cmake)
