# Included by CMakeLists.txt in the repository's folder, where all paths begin.
# What `limulus bench` and benchmarks/ compile like a kernel, once per instruction set and with the
# same flags: the probes of the processor's peak and of memory's, and the ladder of docs/performance.
file(GLOB LIMULUS_RUNGS CONFIGURE_DEPENDS tools/bench/ladder/*.cpp tools/bench/probes/*_probe.cpp)
add_library(limulus_probes STATIC tools/bench/probes/fma_peak.cpp)
target_include_directories(limulus_probes PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(limulus_probes PRIVATE limulus)
foreach(isa ${LIMULUS_ISAS})
  add_library(limulus_probes_${isa} OBJECT ${LIMULUS_RUNGS})
  target_include_directories(limulus_probes_${isa} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(limulus_probes_${isa} PRIVATE LIMULUS_ISA=${isa})
  target_compile_options(limulus_probes_${isa} PRIVATE ${LIMULUS_FLAGS_${isa}} ${LIMULUS_OPTIMIZE})
  target_sources(limulus_probes PRIVATE $<TARGET_OBJECTS:limulus_probes_${isa}>)
endforeach()
