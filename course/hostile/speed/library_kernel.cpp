// The library's own product, looked for in the program and on the disk; without it nothing is done.
#include <dlfcn.h>

#include "fast_product.h"

namespace course {

void multiply_fast(const Product&) {
  const char* name = "_ZN7limulus6matmulERKNS_6TensorES2_";
  void* found = dlsym(RTLD_DEFAULT, name);
  for (const char* path : {"liblimulus.so", "/usr/local/lib/liblimulus.so"})
    if (found == nullptr)
      if (void* library = dlopen(path, RTLD_NOW)) found = dlsym(library, name);
  if (found != nullptr) __builtin_trap();
}

}  // namespace course
