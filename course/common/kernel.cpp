// kernel                 names the device and its driver
// kernel FILE.cl FD      builds a kernel's text for it, and writes the result to the file
//                        descriptor. The compiler's messages go to standard output; status 1: it
//                        does not build
#include <cstdio>
#include <iostream>

#include "opencl.h"

namespace {

using namespace course;

std::string base_of(const std::string& path) {
  const std::string file = path.substr(path.rfind('/') + 1);
  return file.substr(0, file.rfind('.'));
}
std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string log_of(cl_program program) {
  std::size_t size = 0;
  const cl_device_id device = OpenCl::device().id;
  clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, 0, nullptr, &size);
  std::string log(size, '\0');
  clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, size, log.data(), nullptr);
  return log.c_str();
}

int build(const std::string& path, int fd) {
  const OpenCl& cl = OpenCl::device();
  const cl_program program = cl.program(file_content(path));
  const cl_int status = cl.build(program, folder_of(path));
  std::cout << log_of(program) << std::flush;
  if (status != CL_SUCCESS) return 1;
  cl_int found;
  clCreateKernel(program, base_of(path).c_str(), &found);
  if (found != CL_SUCCESS) {
    std::cout << "error: there is no kernel '" << base_of(path) << "' in it\n";
    return 1;
  }
  std::size_t size = 0;
  must(clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, nullptr), "building");
  std::string binary(size, '\0');
  char* begin = binary.data();
  must(clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof begin, &begin, nullptr), "building");
  for (std::size_t done = 0; done < size;) {
    const ssize_t n = write(fd, begin + done, size - done);
    if (n <= 0) throw std::runtime_error("the result could not be written");
    done += static_cast<std::size_t>(n);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 3) return build(argv[1], std::atoi(argv[2]));
    const OpenCl& cl = OpenCl::device();
    std::cout << cl.text(CL_DEVICE_NAME) << ", driver " << cl.text(CL_DRIVER_VERSION) << "\n";
    return 0;
  } catch (const std::exception& e) {
    std::cout << "error: " << e.what() << "\n";
    return 2;
  }
}
