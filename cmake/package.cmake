# What `./run package` makes with cpack: Debian packages of the program (limulus) and of what is needed to
# build against the library (liblimulus-dev).
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "the authors of Limulus <limulus@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME limulus)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)  # which libraries it needs, dpkg-shlibdeps finds out
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "liblimulus-dev, pocl-opencl-icd")
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION
    "The program limulus: explains, trains, checks and times AlexNet, and shows what it sees.")

# limulus-config.cmake looks for these again, as the library is static.
set(needed "libfmt-dev, zlib1g-dev")
if(LIMULUS_JPEG)
  string(APPEND needed ", libjpeg-dev")
endif()
if(LIMULUS_UNICODE)
  string(APPEND needed ", libutf8proc-dev")
endif()
if(LIMULUS_ONNX)
  string(APPEND needed ", libonnx-dev, libprotobuf-dev")
endif()
if(LIMULUS_OPENCL)
  string(APPEND needed ", ocl-icd-opencl-dev, opencl-headers")
endif()
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME liblimulus-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "limulus (= ${PROJECT_VERSION}), ${needed}")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_RECOMMENDS "g++, cmake")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
    "The library limulus: headers, the static library and CMake's package, to build against.")
if(PROJECT_IS_TOP_LEVEL)
  include(CPack)
endif()
