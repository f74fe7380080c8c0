#pragma once
// The build that a run was made with, and the machine.
#include <string>
#include <utility>
#include <vector>

namespace limulus {

// The processor's name, the compiler, its flags and the commit of this build, for provenance.
std::vector<std::pair<std::string, std::string>> build_provenance();

}  // namespace limulus
