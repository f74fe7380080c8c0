# Included by CMakeLists.txt in the repository's folder, where all paths begin.
# The library knows ranks by an interface (communicator.h). The program has MPI behind it where that is
# installed; an installed library needs no MPI.
if(NOT LIMULUS_STATIC)  # Debian's MPI is a shared library
  find_package(MPI QUIET COMPONENTS CXX)
endif()
if(MPI_CXX_FOUND)
  set(found ON)
else()
  set(found OFF)
endif()
limulus_feature(LIMULUS_MPI "training on several machines with MPI" ${found})
if(LIMULUS_MPI AND NOT MPI_CXX_FOUND)
  message(FATAL_ERROR "LIMULUS_MPI is ON, but MPI was not found; install (Debian's names) libopenmpi-dev and "
                      "openmpi-bin, or configure with -DLIMULUS_MPI=OFF")
endif()
