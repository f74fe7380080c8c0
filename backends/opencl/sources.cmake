# Included by CMakeLists.txt in the repository's folder, where all paths begin.
# The OpenCL backend is built where its headers are; the C++ one has a package of its own.
find_package(OpenCL QUIET)
find_path(LIMULUS_CLHPP_INCLUDE CL/opencl.hpp HINTS ${OpenCL_INCLUDE_DIRS})
if(OpenCL_FOUND AND LIMULUS_CLHPP_INCLUDE)
  set(LIMULUS_OPENCL_FOUND ON)
else()
  set(LIMULUS_OPENCL_FOUND OFF)
endif()
limulus_feature(LIMULUS_OPENCL "the OpenCL backend" ${LIMULUS_OPENCL_FOUND})
set(opencl_packages "opencl-headers, opencl-clhpp-headers, ocl-icd-opencl-dev")
if(LIMULUS_OPENCL AND NOT LIMULUS_OPENCL_FOUND)
  message(FATAL_ERROR "LIMULUS_OPENCL is ON, but OpenCL or CL/opencl.hpp was not found; install "
                      "(Debian's names) ${opencl_packages}, or configure with -DLIMULUS_OPENCL=OFF")
elseif(NOT LIMULUS_OPENCL_FOUND)
  message(STATUS "No OpenCL backend: OpenCL or CL/opencl.hpp was not found (Debian's names: "
                 "${opencl_packages})")
endif()

# The texts of kernels, as a function of the target that returns them (backends/opencl/program.h).
function(embed_kernels target function)
  set(script ${PROJECT_SOURCE_DIR}/backends/opencl/embed_kernels.cmake)
  add_custom_command(
    OUTPUT opencl_${function}.cpp
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=opencl_${function}.cpp "-DKERNELS=${ARGN}"
            -DFUNCTION=${function} -P ${script}
    DEPENDS ${ARGN} ${script}
    VERBATIM)
  target_sources(${target} PRIVATE ${PROJECT_BINARY_DIR}/opencl_${function}.cpp)
  set_source_files_properties(${PROJECT_BINARY_DIR}/opencl_${function}.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

if(LIMULUS_OPENCL)
  file(GLOB sources CONFIGURE_DEPENDS backends/opencl/*.cpp)
  target_sources(limulus PRIVATE ${sources})
  limulus_computes(${sources})
  file(GLOB LIMULUS_CL_KERNELS CONFIGURE_DEPENDS backends/opencl/kernels/*.cl)
  embed_kernels(limulus embedded_sources ${LIMULUS_CL_KERNELS})
  target_include_directories(limulus SYSTEM PRIVATE ${LIMULUS_CLHPP_INCLUDE})
  target_link_libraries(limulus PRIVATE OpenCL::OpenCL)
  set_source_files_properties(backends/registry.cpp PROPERTIES COMPILE_DEFINITIONS LIMULUS_OPENCL)
endif()
