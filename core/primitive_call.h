#pragma once
// The call of a primitive as a value. It says what is called, on which arrays, and which of them
// are read and written; it can be kept, and run later or on another backend.
//
// A backend is handed one for each primitive that it does not override (Backend::run_elsewhere).
// What does the same with every primitive is therefore one function: the fallback to the reference
// (fallback.cpp), the queue in front of a part of the processor (backends/queued.cpp), a counter of
// calls in a test.
#include <cstddef>
#include <functional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "core/describe.h"

namespace limulus {

class Backend;

// An array of a primitive. Its address is the device's own; null where the contract allows it.
struct DeviceArray {
  void* address = nullptr;
  std::size_t bytes = 0;
  bool is_read = false, is_written = false;
};

class PrimitiveCall {
 public:
  // backend.primitive(arguments...); an argument that is an array is given as a DeviceArray.
  // `shape` is what a trace shows.
  template <class Shape, class... Parameters, class... Arguments>
  PrimitiveCall(const char* name, void (Backend::*primitive)(Parameters...), const Shape& shape,
                const Arguments&... arguments)
      : name_(name), shapes_([shape] { return describe(shape); }) {
    static_assert(sizeof...(Parameters) == sizeof...(Arguments));
    (keep_if_array(arguments), ...);
    run_ = [=](Backend& backend, const DeviceArray* next) {
      // In braces, arguments are evaluated from left to right: each takes the next array.
      const std::tuple<std::decay_t<Parameters>...> values{value_of(arguments, next)...};
      std::apply([&](const auto&... value) { (backend.*primitive)(value...); }, values);
    };
  }

  const char* name() const { return name_; }
  std::string shapes() const { return shapes_(); }
  const std::vector<DeviceArray>& arrays() const { return arrays_; }  // in the arguments' order

  void run(Backend& backend) const { run_(backend, arrays_.data()); }
  // With these arrays in place of the call's own: copies of them, for instance.
  void run(Backend& backend, const std::vector<DeviceArray>& arrays) const {
    run_(backend, arrays.data());
  }

 private:
  void keep_if_array(const DeviceArray& array) { arrays_.push_back(array); }
  template <class T>
  void keep_if_array(const T&) {}

  static void* value_of(const DeviceArray&, const DeviceArray*& next) { return next++->address; }
  template <class T>
  static const T& value_of(const T& value, const DeviceArray*&) {
    return value;
  }

  const char* name_;
  std::function<std::string()> shapes_;
  std::vector<DeviceArray> arrays_;
  std::function<void(Backend&, const DeviceArray*)> run_;
};

}  // namespace limulus
