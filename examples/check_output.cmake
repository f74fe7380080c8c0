# Runs an example and compares what it prints with expected/NAME.txt, to the byte:
#
#   cmake -DPROGRAM=build/example_NN_name -DEXPECTED=FILE -DROOT=DIR -DBUILD=DIR -P check_output.cmake
#
# The first line of the file is the command, as a reader types it: "$ example_07_lrn data/flowers5".
# It runs in the repository's root (ROOT); an argument "build/..." is a place in the build folder
# (BUILD). With UPDATE=1 in the environment the file is written, not compared: read `git diff` then.
file(READ ${EXPECTED} expected)
string(REGEX MATCH "^\\$ ([^\n]*)\n" command "${expected}")
if(NOT command)
  message(FATAL_ERROR "${EXPECTED} begins with '$ ' and the command")
endif()
separate_arguments(arguments UNIX_COMMAND "${CMAKE_MATCH_1}")
list(POP_FRONT arguments)
list(TRANSFORM arguments REPLACE "^build/" "${BUILD}/")

execute_process(COMMAND ${PROGRAM} ${arguments} WORKING_DIRECTORY ${ROOT} OUTPUT_VARIABLE output
                RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with ${status}; it printed\n${output}")
endif()
if("$ENV{UPDATE}")
  file(WRITE ${EXPECTED} "${command}${output}")
elseif(NOT "${command}${output}" STREQUAL "${expected}")
  get_filename_component(name ${EXPECTED} NAME)
  file(WRITE ${BUILD}/printed_${name} "${command}${output}")
  execute_process(COMMAND diff ${EXPECTED} ${BUILD}/printed_${name})
  message(FATAL_ERROR "the example no longer prints ${EXPECTED}, see above (< expected, > printed); "
                      "if it should not, UPDATE=1 ctest -L examples writes the files anew")
endif()
