#pragma once
// How devices are named: one grammar, for every backend.
//
//     cpu          all threads of the processor        cpu:0/2       the first of two parts of them
//     reference    textbook loops
//     opencl:1     the second OpenCL device            opencl:1:0/2  the first of two parts of it
//     opencl       the first one, as opencl:0          opencl:0/2    the first of two parts of that
//
// Numbers have no sign and no leading zeros, so that a device has only one name (except "opencl").
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace limulus {

struct DeviceName {
  std::string family;  // "cpu", "reference", "opencl"
  int device = 0;      // among the OpenCL devices
  bool is_part = false;
  int part = 0, parts = 1;  // part 0 of 2, of at most `most_parts`
  static constexpr int most_parts = 64;
};

// Returns false if `name` does not follow the grammar. `why` then says what is wrong with it, if
// there is more to say than that.
bool parse_device_name(std::string_view name, DeviceName& parsed, std::string& why);

// The one message for a wrong name: what is wrong, how devices are named, and which exist.
DeviceError wrong_device_name(const std::string& name, const std::string& why,
                              const std::vector<std::string>& existing);

}  // namespace limulus
