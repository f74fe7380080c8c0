# For find_package(limulus) and limulus::limulus in other projects (examples/11_new_layer is one).
include(CMakePackageConfigHelpers)
# Two components, which become two Debian packages (package.cmake): the program, and what is needed to
# build against the library.
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME development)
install(TARGETS limulus EXPORT limulus)
if(TARGET limulus_program)
  install(TARGETS limulus_program EXPORT limulus RUNTIME COMPONENT program)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/limulus COMPONENT program)
endif()
if(TARGET limulus_manual)
  # Where the library and the program alone were built (an autograder does), there is no manual.
  install(DIRECTORY ${PROJECT_BINARY_DIR}/manual/ DESTINATION ${CMAKE_INSTALL_DATADIR} COMPONENT program
          OPTIONAL)
endif()
# Each of these headers compiles by itself (tests/package_headers.sh). Those of kernels and of OpenCL
# are the library's own: they need headers of others, and nothing outside needs them.
install(DIRECTORY core distributed backends layers models pages gradcheck training formats
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/limulus
        FILES_MATCHING PATTERN "*.h" PATTERN kernels EXCLUDE PATTERN opencl EXCLUDE
        PATTERN cases EXCLUDE PATTERN safetensors_header.h EXCLUDE PATTERN open_file.h EXCLUDE
        PATTERN json_value.h EXCLUDE PATTERN layer_text.h EXCLUDE
        PATTERN onnx_tensor.h EXCLUDE PATTERN reading_checkpoint.h EXCLUDE
        PATTERN look_summary.h EXCLUDE PATTERN snapshot_page.h EXCLUDE
        PATTERN mpi_communicator.h EXCLUDE)
install(FILES ${LIMULUS_STAMP} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/limulus/backends)
install(FILES tools/gdb/limulus.py DESTINATION ${CMAKE_INSTALL_DATADIR}/limulus/gdb)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/liblimulus-dev)
install(EXPORT limulus NAMESPACE limulus:: FILE limulus-targets.cmake
        DESTINATION ${LIMULUS_CMAKE_DIR})
configure_package_config_file(cmake/limulus-config.cmake.in limulus-config.cmake
                              INSTALL_DESTINATION ${LIMULUS_CMAKE_DIR})
write_basic_package_version_file(limulus-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/limulus-config.cmake cmake/limulus-plugin.cmake
              ${PROJECT_BINARY_DIR}/limulus-config-version.cmake
        DESTINATION ${LIMULUS_CMAKE_DIR})
