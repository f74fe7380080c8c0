#pragma once
// Pictures that are named on the command line.
#include <functional>
#include <string>

namespace limulus::tools {

// Calls use(), which does something with the picture at `path`. A picture that cannot be used does
// not cost the answers for the others: what is wrong with it (a FileError, a ShapeError as of one
// that is too small, no memory) is said on stderr and returned, and the exit status becomes 1.
// Returns "" when all went well; other errors are not the picture's and pass through.
std::string try_picture(const std::string& path, const std::function<void()>& use);

}  // namespace limulus::tools
