#pragma once
// Every failure in Limulus is an exception of one of these types. The message begins with the name
// of what failed, shows the arithmetic or names the file, and says what to do; the library itself
// never prints and never ends the process.
#include <stdexcept>
#include <string>

namespace limulus {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct ShapeError : Error {  // sizes that do not fit together
  using Error::Error;
};
struct DTypeError : Error {  // float where double was needed, labels that are not integers ...
  using Error::Error;
};
struct ValueError : Error {  // an argument outside its range
  using Error::Error;
};
struct DeviceError : Error {  // no such device, tensors on two devices, out of memory
  using Error::Error;
};
struct GraphError : Error {  // backward twice, a saved tensor changed in place ...
  using Error::Error;
};
struct FileError : Error {  // names the file, and where in it
  using Error::Error;
};

}  // namespace limulus
