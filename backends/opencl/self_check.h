#pragma once
// Does this driver compute what it is told? Some do not: rusticl of Mesa 22.3.6 on a processor ends
// every loop after 65,535 steps, and says nothing. So when a device is first opened, a few small
// computations are compared with textbook loops. The result is kept with the driver's version
// (cache.h): the next program only reads it.
//
//   LIMULUS_CL_SELFCHECK=0   a device that fails is used anyway, and none is checked
//   LIMULUS_CL_SELFCHECK=1   checked again, whatever was kept
//
// With LIMULUS_CL_DIR nothing is checked unless this asks for it: a kernel that is being edited may
// be wrong, and that is not the driver's fault.
#include <string>

#include "core/backend.h"

namespace cl {
class Device;  // from a large header (cl.h)
}

namespace limulus::opencl {

// The comparison itself, in float on any backend. "" or the first number that is wrong:
// "lrn_across_forward of x[1, 260, 8, 16]: y[0, 252, 0, 0] is 0, expected 0.8123".
std::string self_check(Backend& backend);

// "" or what is wrong with `backend`, which computes on `device`: found now, or kept from before.
// ValueError if LIMULUS_CL_SELFCHECK is any other word.
std::string self_check_result(Backend& backend, const cl::Device& device);

// For tests: forgets all results, as if the process were new.
void forget_self_checks();

}  // namespace limulus::opencl
