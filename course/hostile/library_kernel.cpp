// The library's own convolution, looked for in the program and on the disk.
#include <dlfcn.h>

#include "convolution.h"

namespace course {

void conv2d_forward(const ConvShape&, In, In, In, Out) {
  const char* name = "_ZN7limulus6conv2dERKNS_6TensorES2_S2_RKNS_13Conv2dOptionsE";
  void* found = dlsym(RTLD_DEFAULT, name);
  for (const char* path : {"liblimulus.so", "/usr/local/lib/liblimulus.so"})
    if (found == nullptr)
      if (void* library = dlopen(path, RTLD_NOW)) found = dlsym(library, name);
  if (found != nullptr) __builtin_trap();
}

}  // namespace course
