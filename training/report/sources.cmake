# Included by CMakeLists.txt in the repository's folder, where all paths begin.
# The styles and scripts of the pages that `limulus look`, `figure` and `train` write become part of the library.
set(LIMULUS_PAGE_TEXTS)
foreach(file look.css look_units.js look_page.js figures.css watch.css snapshots.js live.js)
  list(APPEND LIMULUS_PAGE_TEXTS ${PROJECT_SOURCE_DIR}/training/report/${file})
endforeach()
add_custom_command(
  OUTPUT page_texts.cpp
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=page_texts.cpp "-DFILES=${LIMULUS_PAGE_TEXTS}"
          -DNAMESPACE=limulus::report -P ${PROJECT_SOURCE_DIR}/cmake/embed_texts.cmake
  DEPENDS ${LIMULUS_PAGE_TEXTS} ${PROJECT_SOURCE_DIR}/cmake/embed_texts.cmake
  VERBATIM)
target_sources(limulus PRIVATE ${PROJECT_BINARY_DIR}/page_texts.cpp)
set_source_files_properties(${PROJECT_BINARY_DIR}/page_texts.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
