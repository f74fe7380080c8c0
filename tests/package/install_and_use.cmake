# Installs a finished build into a folder of its own, builds the project beside this file against
# that copy, and runs it. LIMULUS_BUILD, CONFIG, GENERATOR and COMPILER come from the command line.
set(work ${LIMULUS_BUILD}/package)
file(REMOVE_RECURSE ${work})
foreach(command
    "${CMAKE_COMMAND};--install;${LIMULUS_BUILD};--config;${CONFIG};--prefix;${work}/installed"
    "${CMAKE_COMMAND};-S;${CMAKE_CURRENT_LIST_DIR};-B;${work}/build;-G;${GENERATOR};\
-DCMAKE_BUILD_TYPE=${CONFIG};-DCMAKE_CXX_COMPILER=${COMPILER};\
-DCMAKE_PREFIX_PATH=${work}/installed"
    "${CMAKE_COMMAND};--build;${work}/build;--config;${CONFIG}"
    "${work}/build/user")
  execute_process(COMMAND ${command} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endforeach()
