#pragma once
// Tests of everything that use an OpenCL device where there is one, in builds with the backend and
// without (those of the backend itself: opencl_check.h).
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>

#include "backends/registry.h"

namespace limulus {

inline bool have_opencl() {
  const auto all = list_devices();
  if (std::any_of(all.begin(), all.end(), [](const DeviceInfo& d) { return d.name == "opencl:0"; }))
    return true;
  std::printf("skipped: %s: there is no OpenCL device\n",
              doctest::getContextOptions()->currentTest->m_name);
  return false;
}

}  // namespace limulus
