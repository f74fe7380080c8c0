# Included by CMakeLists.txt in the repository's folder, where all paths begin.
# Each CPU kernel is compiled once per instruction set and chosen at run time (backends/cpu).
file(GLOB LIMULUS_KERNELS CONFIGURE_DEPENDS backends/cpu/kernels/*.cpp backends/cpu/kernels/*/*.cpp)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
  set(LIMULUS_ISAS neon) # which every processor of this kind has
else()
  set(LIMULUS_ISAS avx2 avx512)
endif()
set(LIMULUS_FLAGS_avx2 -mavx2 -mfma)
set(LIMULUS_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma
                         -mprefer-vector-width=512)
if(LIMULUS_SANITIZE) # whose checks, optimized, take ten times as long to compile
  set(LIMULUS_OPTIMIZE -O1)
else()
  set(LIMULUS_OPTIMIZE -O3)
endif()
option(LIMULUS_KERNELS_AS_ONE "All CPU kernels of an instruction set as one unit: for ./run check tidy" OFF)
foreach(isa ${LIMULUS_ISAS})
  add_library(limulus_kernels_${isa} OBJECT ${LIMULUS_KERNELS})
  # As one unit they would compile on one core, the longest of all. Who only reads the code (clang-tidy)
  # reads each header once then.
  set_target_properties(limulus_kernels_${isa} PROPERTIES UNITY_BUILD ${LIMULUS_KERNELS_AS_ONE}
                                                          UNITY_BUILD_BATCH_SIZE 0)
  target_include_directories(limulus_kernels_${isa} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(limulus_kernels_${isa} PRIVATE LIMULUS_ISA=${isa})
  target_compile_options(limulus_kernels_${isa} PRIVATE ${LIMULUS_FLAGS_${isa}} ${LIMULUS_OPTIMIZE})
  if(NOT LIMULUS_FUZZ)  # nothing that reads a file computes, and sanitized kernels compile for minutes
    target_sources(limulus PRIVATE $<TARGET_OBJECTS:limulus_kernels_${isa}>)
  endif()
endforeach()
if(CMAKE_CROSSCOMPILING) # it runs in an emulator, which records every page of an arena's range
  set_source_files_properties(backends/cpu/cpu_backend.cpp PROPERTIES COMPILE_DEFINITIONS LIMULUS_NO_ARENA)
endif()
