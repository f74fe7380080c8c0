# Included by CMakeLists.txt in the repository's folder, where all paths begin.
# Networks in ONNX files are read and written where onnx and protobuf are installed (formats/onnx_file.h).
find_path(LIMULUS_ONNX_INCLUDE onnx/onnx-ml.pb.h)
find_path(LIMULUS_PROTOBUF_INCLUDE google/protobuf/message.h)
find_library(LIMULUS_ONNX_LIBRARY onnx_proto)
find_library(LIMULUS_PROTOBUF_LIBRARY protobuf)
if(LIMULUS_ONNX_INCLUDE AND LIMULUS_PROTOBUF_INCLUDE AND LIMULUS_ONNX_LIBRARY AND LIMULUS_PROTOBUF_LIBRARY)
  set(LIMULUS_ONNX_FOUND ON)
else()
  set(LIMULUS_ONNX_FOUND OFF)
endif()
limulus_feature(LIMULUS_ONNX "reading and writing of ONNX files" ${LIMULUS_ONNX_FOUND})
if(LIMULUS_ONNX AND NOT LIMULUS_ONNX_FOUND)
  message(FATAL_ERROR "LIMULUS_ONNX is ON, but onnx or protobuf was not found; install (Debian's names) "
                      "libonnx-dev and libprotobuf-dev, or configure with -DLIMULUS_ONNX=OFF")
elseif(LIMULUS_ONNX)
  target_link_libraries(
    limulus PRIVATE $<BUILD_INTERFACE:${LIMULUS_ONNX_LIBRARY}> $<BUILD_INTERFACE:${LIMULUS_PROTOBUF_LIBRARY}>
                    $<INSTALL_INTERFACE:onnx_proto> $<INSTALL_INTERFACE:protobuf>)
  target_include_directories(limulus SYSTEM PRIVATE ${LIMULUS_ONNX_INCLUDE} ${LIMULUS_PROTOBUF_INCLUDE})
  set_source_files_properties(
    formats/onnx_file.cpp formats/onnx_tensor.cpp formats/onnx_write.cpp
    PROPERTIES COMPILE_DEFINITIONS "LIMULUS_ONNX;ONNX_ML=1;ONNX_NAMESPACE=onnx" SKIP_UNITY_BUILD_INCLUSION ON)
endif()
