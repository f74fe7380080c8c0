# Installs a finished build into a folder of its own, builds PROJECT, which is outside of the build,
# against that copy, and compares what its program prints (check_output.cmake). BUILD, CONFIG, GENERATOR,
# COMPILER and what check_output.cmake wants come from the command line.
set(work ${BUILD}/package)
file(REMOVE_RECURSE ${work})
foreach(command
    "${CMAKE_COMMAND};--install;${BUILD};--config;${CONFIG};--prefix;${work}/installed"
    "${CMAKE_COMMAND};-S;${PROJECT};-B;${work}/build;-G;${GENERATOR};-DCMAKE_BUILD_TYPE=${CONFIG};\
-DCMAKE_CXX_COMPILER=${COMPILER};-DCMAKE_PREFIX_PATH=${work}/installed"
    "${CMAKE_COMMAND};--build;${work}/build;--config;${CONFIG}")
  execute_process(COMMAND ${command} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endforeach()
set(PROGRAM ${work}/build/new_layer)
include(${CMAKE_CURRENT_LIST_DIR}/check_output.cmake)
