// A device that says what it should not: control characters in its description and in an error, and
// something that is no std::exception.
#include "backends/cpu/cpu_backend.h"
#include "backends/plugin.h"
#include "core/error.h"

namespace {

class Loud : public limulus::CpuBackend {
 public:
  Loud() : CpuBackend(0, "loud") {}
  std::string description() const override {
    return "red \033[31m, turned \xe2\x80\xae, broken \xff";
  }
  void max_pool2d_forward(limulus::DType, const limulus::Pool2dShape&, const void*, void*,
                          void*) override {
    throw limulus::Error("no \033[31m pooling");
  }
  void avg_pool2d_forward(limulus::DType, const limulus::Pool2dShape&, const void*,
                          void*) override {
    throw 42;
  }
};

}  // namespace

void limulus_plugin() { limulus::add_device(std::make_unique<Loud>()); }
