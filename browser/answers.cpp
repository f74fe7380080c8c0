// The same requests as in a browser, answered by the library as it is compiled for this machine:
// docs/check_labs.py compares the two.
//
//     browser_answers < REQUESTS
//
// Reads a line for each request, JSON, and prints a line for each answer. A line "bytes NAME FILE"
// hands over a file under a name. Files of weights are read from the folder it runs in.
#include <algorithm>
#include <iostream>
#include <sstream>
#include <string>

#include "browser/exports.h"
#include "formats/read_file.h"

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, name, file;
    if (words >> command >> name >> file && command == "bytes") {
      const auto bytes = limulus::read_file(file);
      std::uint8_t* memory = lab_bytes(name.c_str(), bytes.size());
      if (memory == nullptr) return 1;
      std::copy(bytes.begin(), bytes.end(), memory);
    } else {
      std::cout << lab_ask(line.c_str()) << std::endl;
    }
  }
}
