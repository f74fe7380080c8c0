# Installs a finished build into a folder of its own, and lets the course prove itself against that copy.
set(prefix ${BUILD}/tests/course/installed)
file(REMOVE_RECURSE ${prefix})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --config ${CONFIG} --prefix ${prefix}
                OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
set(ENV{LIMULUS_PREFIX} ${prefix})
execute_process(COMMAND ${PYTHON} ${COURSE}/grade verify COMMAND_ERROR_IS_FATAL ANY)
