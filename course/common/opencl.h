#pragma once
// OpenCL for a runner: kernels are started on arrays that lie between pages nobody may touch
// (guarded.h), so that an access outside of one ends the program.
//
// The device is PoCL's on the processor, at home and where it is graded, or Oclgrind's where that
// program runs this one. Of a kernel NAME, PoCL is given NAME.cl.bin, built beforehand
// (kernel.cpp); Oclgrind interprets the text, NAME.cl.
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "course.h"
#include "guarded.h"

namespace course {

inline std::string file_content(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  if (!file) throw std::runtime_error(name + " is not there");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// What a starter's kernel has in place of its solution is a line `NotWritten("6.1");`.
inline void throw_if_not_written(const std::string& text) {
  std::istringstream lines(text);
  const std::string mark = "NotWritten(\"";
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos || line.compare(begin, mark.size(), mark) != 0) continue;
    const std::size_t id = begin + mark.size();
    throw NotWritten(line.substr(id, line.find('"', id) - id));
  }
}

inline void must(cl_int status, const std::string& what) {
  if (status != CL_SUCCESS)
    throw std::runtime_error(what + " failed with OpenCL's error " + std::to_string(status));
}

class OpenCl {
 public:
  // Opened at the first call. std::runtime_error where there is no such device.
  static OpenCl& device() {
    static OpenCl opened;
    return opened;
  }

  cl_device_id id = nullptr;
  cl_context context = nullptr;
  cl_command_queue queue = nullptr;
  bool oclgrind = false;

  std::string text(cl_device_info what) const {
    std::array<char, 256> value = {};
    clGetDeviceInfo(id, what, value.size() - 1, value.data(), nullptr);
    return value.data();
  }
  template <class T>
  T number(cl_device_info what) const {
    T value = {};
    must(clGetDeviceInfo(id, what, sizeof value, &value, nullptr), "clGetDeviceInfo");
    return value;
  }

  // Of this text; `options` as OpenCL has them. Not yet built.
  cl_program program(const std::string& source) const {
    const char* begin = source.data();
    const std::size_t length = source.size();
    cl_int status;
    cl_program made = clCreateProgramWithSource(context, 1, &begin, &length, &status);
    must(status, "clCreateProgramWithSource");
    return made;
  }
  cl_program program_of_binary(const std::string& binary) const {
    const auto* begin = reinterpret_cast<const unsigned char*>(binary.data());
    const std::size_t length = binary.size();
    cl_int status;
    cl_program made = clCreateProgramWithBinary(context, 1, &id, &length, &begin, nullptr, &status);
    must(status, "clCreateProgramWithBinary");
    return made;
  }
  // Headers are beside the kernel's file, which is in `folder`.
  cl_int build(cl_program made, const std::string& folder) const {
    const std::string options = "-cl-std=CL1.2 -I" + folder;
    return clBuildProgram(made, 1, &id, options.c_str(), nullptr, nullptr);
  }

 private:
  OpenCl() {
    // One thread: groups run one after the other, and each time in the same order. What is built is
    // built once for all sizes of groups.
    setenv("POCL_DEVICES", "basic", 1);
    setenv("POCL_WORK_GROUP_SPECIALIZATION", "0", 1);
    setenv("POCL_CACHE_DIR", cache_folder().c_str(), 1);
    // The machine as PoCL sees it: the same everywhere, and nothing of /sys is looked at.
    setenv("HWLOC_SYNTHETIC", "numa:1(memory=4294967296) l3:1(size=1048576) core:1 pu:1", 1);
    const char* only = "/etc/OpenCL/vendors/pocl.icd";  // other drivers are not even loaded
    if (access(only, R_OK) == 0) setenv("OCL_ICD_VENDORS", only, 1);
    std::array<cl_platform_id, 16> platforms;
    cl_uint count = 0;
    if (clGetPlatformIDs(platforms.size(), platforms.data(), &count) != CL_SUCCESS) count = 0;
    for (cl_uint i = 0; i < count && id == nullptr; ++i) {
      std::array<char, 128> name = {};
      clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, name.size() - 1, name.data(), nullptr);
      oclgrind = std::string(name.data()) == "Oclgrind";
      if (!oclgrind && std::string(name.data()) != "Portable Computing Language") continue;
      if (clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, &id, nullptr) != CL_SUCCESS)
        id = nullptr;
    }
    if (id == nullptr) throw std::runtime_error("there is no PoCL: install pocl-opencl-icd");
    cl_int status;
    context = clCreateContext(nullptr, 1, &id, nullptr, nullptr, &status);
    must(status, "clCreateContext");
    queue = clCreateCommandQueue(context, id, 0, &status);
    must(status, "clCreateCommandQueue");
  }
  // Where PoCL may write. In a sandbox the working folder is closed, and /tmp is a small one of its
  // own.
  static std::string cache_folder() {
    std::array<char, 4096> path = {};
    if (access(".", W_OK) == 0 && getcwd(path.data(), path.size() - 1) != nullptr)
      return std::string(path.data()) + "/pocl";
    return "/tmp/pocl-" + std::to_string(getpid());
  }
};

// One start of a kernel: arguments in the kernel's order, then run().
class Launch {
 public:
  explicit Launch(const std::string& name) : name_(name) {
    const std::string file = name + ".cl";
    throw_if_not_written(file_content(file));  // before the device, whose start takes a while
    const OpenCl& cl = OpenCl::device();
    program_ = cl.oclgrind ? cl.program(file_content(file))
                           : cl.program_of_binary(file_content(file + ".bin"));
    must(cl.build(program_, "."), "building " + file);
    cl_int status;
    kernel_ = clCreateKernel(program_, name.c_str(), &status);
    if (status != CL_SUCCESS) throw std::runtime_error(file + " has no kernel '" + name + "'");
    cl_uint arguments = 0;
    clGetKernelInfo(kernel_, CL_KERNEL_NUM_ARGS, sizeof arguments, &arguments, nullptr);
    arguments_ = arguments;
  }
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;
  ~Launch() {
    for (cl_mem buffer : buffers_) clReleaseMemObject(buffer);
    clReleaseKernel(kernel_);
    clReleaseProgram(program_);
  }

  template <class T>
  Launch& value(const T& v) {
    return set(sizeof v, &v);
  }
  Launch& local(std::int64_t bytes) { return set(static_cast<std::size_t>(bytes), nullptr); }
  // The device works on the array where it lies.
  Launch& array(const Guarded& values, std::int64_t count) {
    cl_int status;
    buffers_.push_back(
        clCreateBuffer(OpenCl::device().context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
                       static_cast<std::size_t>(count) * sizeof(float), values.data(), &status));
    must(status, "clCreateBuffer");
    return set(sizeof(cl_mem), &buffers_.back());
  }

  // Rounded up to whole groups along each axis.
  void run(const std::vector<std::int64_t>& items, const std::vector<std::int64_t>& group) {
    std::array<std::size_t, 3> global, local;
    for (std::size_t i = 0; i < 3; ++i) {
      local[i] = static_cast<std::size_t>(group.at(i));
      global[i] = (static_cast<std::size_t>(items.at(i)) + local[i] - 1) / local[i] * local[i];
    }
    if (next_ != arguments_)
      throw std::runtime_error(name_ + " has " + std::to_string(arguments_) +
                               " arguments, not the " + std::to_string(next_) +
                               " that it is given");
    cl_command_queue queue = OpenCl::device().queue;
    must(clEnqueueNDRangeKernel(queue, kernel_, 3, nullptr, global.data(), local.data(), 0, nullptr,
                                nullptr),
         "starting " + name_);
    must(clFinish(queue), "running " + name_);
  }

 private:
  Launch& set(std::size_t size, const void* data) {
    if (clSetKernelArg(kernel_, next_, size, data) != CL_SUCCESS)
      throw std::runtime_error("argument " + std::to_string(next_ + 1) + " of " + name_ +
                               " has another type: is its signature the handout's?");
    ++next_;
    return *this;
  }

  std::string name_;
  cl_program program_ = nullptr;
  cl_kernel kernel_ = nullptr;
  std::vector<cl_mem> buffers_;
  cl_uint next_ = 0, arguments_ = 0;
};

}  // namespace course
