# Included by CMakeLists.txt in the repository's folder, where all paths begin.
# The laboratories of the site, answered by this machine's library instead of a browser's: for tests, and for
# docs/check_labs.py, which compares the two. What a browser runs is built by browser/CMakeLists.txt.
add_library(limulus_browser STATIC)
foreach(file answer convolution_lab digit_lab digits exports few_outputs filters gradient_lab shelf training_lab)
  target_sources(limulus_browser PRIVATE ${PROJECT_SOURCE_DIR}/browser/${file}.cpp)
endforeach()
set_target_properties(limulus_browser PROPERTIES UNITY_BUILD OFF) # each file's helpers have the same short names
target_link_libraries(limulus_browser PUBLIC limulus op_cases fmt::fmt nlohmann_json::nlohmann_json)
add_executable(browser_answers browser/answers.cpp)
target_link_libraries(browser_answers PRIVATE limulus_browser)
