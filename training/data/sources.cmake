# Included by CMakeLists.txt in the repository's folder, where all paths begin.
# Large photographs are decoded by libjpeg-turbo where it is installed (training/data/jpeg_scaled.h).
find_package(JPEG QUIET)
limulus_feature(LIMULUS_JPEG "decoding of large JPEGs by libjpeg-turbo" "${JPEG_FOUND}")
if(LIMULUS_JPEG)
  find_package(JPEG REQUIRED)
  target_link_libraries(limulus PRIVATE JPEG::JPEG)
  set_source_files_properties(training/data/jpeg_scaled.cpp PROPERTIES COMPILE_DEFINITIONS LIMULUS_JPEG)
endif()

# stb_image is compiled there. Of damaged pictures it computes pixels that mean nothing, in numbers that
# may overflow: with this they wrap around, which is defined.
set_property(SOURCE training/data/image.cpp APPEND PROPERTY COMPILE_OPTIONS -fwrapv)

# Names of classes are compared as Unicode has it where utf8proc is installed (training/data/class_names.h).
find_path(LIMULUS_UTF8PROC_INCLUDE utf8proc.h)
find_library(LIMULUS_UTF8PROC_LIBRARY utf8proc)
if(LIMULUS_UTF8PROC_INCLUDE AND LIMULUS_UTF8PROC_LIBRARY)
  set(LIMULUS_UTF8PROC_FOUND ON)
else()
  set(LIMULUS_UTF8PROC_FOUND OFF)
endif()
limulus_feature(LIMULUS_UNICODE "comparison of names by Unicode" ${LIMULUS_UTF8PROC_FOUND})
if(LIMULUS_UNICODE AND NOT LIMULUS_UTF8PROC_FOUND)
  message(FATAL_ERROR "LIMULUS_UNICODE is ON, but utf8proc was not found; install (Debian's name) "
                      "libutf8proc-dev, or configure with -DLIMULUS_UNICODE=OFF")
elseif(LIMULUS_UNICODE)
  target_link_libraries(limulus PRIVATE $<BUILD_INTERFACE:${LIMULUS_UTF8PROC_LIBRARY}>
                                        $<INSTALL_INTERFACE:utf8proc>)
  target_include_directories(limulus SYSTEM PRIVATE ${LIMULUS_UTF8PROC_INCLUDE})
  set_source_files_properties(training/data/class_names.cpp PROPERTIES COMPILE_DEFINITIONS
                                                                  LIMULUS_UNICODE)
endif()
