#pragma once
// The OpenCL host API, version 1.2, through the Khronos C++ header, with errors as exceptions.
// Only sources of this folder include it: it is large.
#ifndef CL_TARGET_OPENCL_VERSION  // CLBlast's header has chosen already
#define CL_TARGET_OPENCL_VERSION 120
#endif
#define CL_HPP_TARGET_OPENCL_VERSION 120
#define CL_HPP_MINIMUM_OPENCL_VERSION 120
#define CL_HPP_ENABLE_EXCEPTIONS
#include <CL/opencl.hpp>
#include <string>

#include "core/error.h"

namespace limulus::opencl {

// "CL_INVALID_WORK_GROUP_SIZE" for -54; "OpenCL error -9999" for what the standard does not name.
std::string error_name(cl_int code);

// "opencl:0: gemm: CL_OUT_OF_RESOURCES from clEnqueueNDRangeKernel: ..." with what can be done.
DeviceError failure(const std::string& device, const std::string& what, const cl::Error& error);

}  // namespace limulus::opencl
