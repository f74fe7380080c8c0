#pragma once
// A backend in host memory with no kernel of its own: what a test does not override falls back to
// the reference (core/fallback.cpp).
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "core/backend.h"
#include "core/buffer_pool.h"

namespace limulus {

class HostBackend : public Backend {
 public:
  explicit HostBackend(std::string name) : name_(std::move(name)) {}
  ~HostBackend() override { pool().trim(); }
  std::string name() const override { return name_; }
  std::string description() const override { return "host memory, for a test"; }
  void* allocate(std::size_t bytes) override { return std::malloc(bytes); }
  void deallocate(void* buffer, std::size_t) noexcept override { std::free(buffer); }
  bool host_memory() const override { return true; }
  void upload(void* dst, const void* host, std::size_t n) override { std::memcpy(dst, host, n); }
  void download(void* host, const void* src, std::size_t n) override { std::memcpy(host, src, n); }

 private:
  std::string name_;
};

}  // namespace limulus
