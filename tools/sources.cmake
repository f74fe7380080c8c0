# Included by CMakeLists.txt in the repository's folder, where all paths begin.
file(GLOB LIMULUS_TOOLS CONFIGURE_DEPENDS tools/*.cpp tools/bench/*.cpp)
file(GLOB_RECURSE LIMULUS_TEMPLATES RELATIVE ${PROJECT_SOURCE_DIR}/tools/templates
     CONFIGURE_DEPENDS tools/templates/*.in)
if(LIMULUS_PROGRAM AND LIMULUS_TOOLS)
  find_package(CLI11 REQUIRED)
  add_executable(limulus_program ${LIMULUS_TOOLS})
  set_target_properties(limulus_program PROPERTIES OUTPUT_NAME limulus)
  # CLI11 costs each source ten seconds, so eight share it. And nothing here computes: what the
  # program runs is the library, what it times is compiled as a kernel is (tools/bench).
  if(NOT CMAKE_UNITY_BUILD)
    set_target_properties(limulus_program PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
  # fmt 8 (Ubuntu 22.04) takes format.h only where nothing was formatted with core.h before.
  target_compile_options(limulus_program PRIVATE "SHELL:-include fmt/format.h" $<$<CONFIG:Release>:-O1>)
  if(LIMULUS_SANITIZE)
    target_compile_options(limulus_program PRIVATE -O0)  # two thirds of the time of -O1
  endif()
  target_compile_definitions(limulus_program PRIVATE LIMULUS_VERSION="${PROJECT_VERSION}"
                                                     LIMULUS_CMAKE_DIR="${LIMULUS_CMAKE_DIR}"
                                                     $<$<BOOL:${LIMULUS_OPENCL}>:LIMULUS_OPENCL>)
  target_link_libraries(limulus_program PRIVATE limulus limulus_probes op_cases CLI11::CLI11 ${LIMULUS_FMT}
                                                nlohmann_json::nlohmann_json limulus_stamp
                                                ${CMAKE_DL_LIBS})
  if(LIMULUS_MPI)  # `mpirun limulus train`
    target_sources(limulus_program PRIVATE ${PROJECT_SOURCE_DIR}/distributed/mpi_communicator.cpp)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/distributed/mpi_communicator.cpp
                                PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    target_compile_definitions(limulus_program PRIVATE LIMULUS_MPI)
    target_include_directories(limulus_program SYSTEM PRIVATE ${MPI_CXX_INCLUDE_DIRS})
    target_link_libraries(limulus_program PRIVATE MPI::MPI_CXX)
  endif()
  # Plugins take the library out of the program, so all of it has to be there, and visible. (The
  # link feature WHOLE_ARCHIVE repeats the archive where op_cases needs it again, and then every
  # function of it is defined twice; an option stands on the command line once.)
  set_target_properties(limulus_program PROPERTIES EXPORT_NAME program)
  if(LIMULUS_STATIC)
    target_link_options(limulus_program PRIVATE -static)
    target_compile_definitions(limulus_program PRIVATE LIMULUS_STATIC)
  else()
    set_target_properties(limulus_program PROPERTIES ENABLE_EXPORTS ON)
  endif()
  if(NOT BUILD_SHARED_LIBS)
    target_link_options(limulus_program PRIVATE LINKER:--push-state,--whole-archive
                                                $<TARGET_FILE:limulus> LINKER:--pop-state)
  endif()
  # Man pages and completions: the program writes them, where it can run.
  if(NOT LIMULUS_SANITIZE AND (NOT CMAKE_CROSSCOMPILING OR CMAKE_CROSSCOMPILING_EMULATOR))
    add_custom_command(
      OUTPUT manual/man/man1/limulus.1
      COMMAND limulus_program manual manual
      COMMAND ${CMAKE_COMMAND} -E touch manual/man/man1/limulus.1 # also where its text has not changed
      DEPENDS limulus_program
      VERBATIM)
    add_custom_target(limulus_manual ALL DEPENDS ${PROJECT_BINARY_DIR}/manual/man/man1/limulus.1)
  endif()
  # The templates of `limulus new`.
  list(TRANSFORM LIMULUS_TEMPLATES PREPEND ${PROJECT_SOURCE_DIR}/tools/templates/ OUTPUT_VARIABLE paths)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed_templates.cmake)
  add_custom_command(
    OUTPUT new_templates.cpp
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=new_templates.cpp -DFOLDER=${PROJECT_SOURCE_DIR}/tools/templates
            "-DFILES=${LIMULUS_TEMPLATES}" -P ${script}
    DEPENDS ${paths} ${script}
    VERBATIM)
  target_sources(limulus_program PRIVATE ${PROJECT_BINARY_DIR}/new_templates.cpp)
  set_source_files_properties(${PROJECT_BINARY_DIR}/new_templates.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  target_include_directories(limulus_program PRIVATE ${PROJECT_SOURCE_DIR})
  if(LIMULUS_OPENCL)  # `limulus bench ladder --device opencl:0` has kernels of its own
    file(GLOB rungs CONFIGURE_DEPENDS tools/bench/ladder/*.cl)
    embed_kernels(limulus_program rung_sources ${rungs})
    target_include_directories(limulus_program SYSTEM PRIVATE ${LIMULUS_CLHPP_INCLUDE})
    target_link_libraries(limulus_program PRIVATE OpenCL::OpenCL)
  endif()
endif()
