// The files in a tar file, one after another, and each once more by its place.
#include "formats/tar.h"

#include "harness.h"

using namespace limulus;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::MemoryFile file;
  file.set({data, size});
  fuzz::accepted(size, file.path(), [&] {
    TarReader reader(file.path());
    std::uint64_t end = 0;
    for (TarMember member; reader.next(&member); end = member.begin + member.size) {
      fuzz::require(member.offset >= end, "files follow each other");
      fuzz::require(reader.read(member).size() == member.size, "all of a file is read");
      TarReader there(file.path(), member.offset);
      TarMember again;
      fuzz::require(there.next(&again) && again.name == member.name && again.begin == member.begin,
                    "a file is found by its place");
    }
  });
  return 0;
}
