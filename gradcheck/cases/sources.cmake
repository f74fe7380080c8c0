# Included by CMakeLists.txt in the repository's folder, where all paths begin.
# The table of cases, random ones, and a bank of mistakes, for the tests and for `limulus gradcheck`.
file(GLOB LIMULUS_CASES CONFIGURE_DEPENDS gradcheck/cases/*.cpp)
add_library(op_cases STATIC ${LIMULUS_CASES})
set_target_properties(op_cases PROPERTIES UNITY_BUILD OFF)  # each file's helpers have the same short names
target_link_libraries(op_cases PRIVATE limulus ${LIMULUS_FMT} nlohmann_json::nlohmann_json)
