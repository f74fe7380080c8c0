#pragma once
// Names that people type, and mistype: of networks, layers, options, devices. All places that take
// a name from a list report a wrong one in the same way, with the name that was probably meant.
#include <string>
#include <vector>

namespace limulus {

// The known name that `name` was probably meant to be: the fewest mistakes away, and not more than
// one of four letters; or the only one that begins with it. Capitals do not count. "" where none is
// near.
std::string nearest_name(const std::string& name, const std::vector<std::string>& known);

// What an error says after "there is no layer 'conv9'": "; did you mean 'conv5'? There are conv1,
// conv2", or "; there are conv1, conv2" where none is near.
std::string known_names(const std::string& name, const std::vector<std::string>& known);

}  // namespace limulus
