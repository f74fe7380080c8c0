# Turns OpenCL C files into one C++ file that holds their texts, so that the library needs no files
# at run time. Run as:
# cmake -DOUTPUT=sources.cpp -DKERNELS="a.cl;b.cl" -DFUNCTION=embedded_sources -P embed_kernels.cmake
set(table "")
foreach(path IN LISTS KERNELS)
  get_filename_component(name ${path} NAME_WE)
  file(READ ${path} text)
  string(APPEND table "    {\"${name}\", R\"kernel(${text})kernel\"},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made by embed_kernels.cmake from *.cl.
#include \"backends/opencl/program.h\"

namespace limulus::opencl {

const std::vector<KernelSource>& ${FUNCTION}() {
  static const std::vector<KernelSource> all = {
${table}  };
  return all;
}

}  // namespace limulus::opencl
")
