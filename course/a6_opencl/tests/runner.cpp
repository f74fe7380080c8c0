// What the judge can call of assignment 6: a kernel, started once. Every array is between pages
// that may not be touched (common/guarded.h), and a call is made twice: with the arrays at the end
// of their pages, and at their beginning. Inputs are read-only, outputs hold NaN.
#include "runner.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "layers.h"
#include "opencl.h"

namespace course {
namespace {

class Array {
 public:
  // A result.
  Array(const char* name, std::int64_t count, Place place)
      : count_(count), room_(name, count, place) {}
  // What is given: floats, or int32 in their place.
  Array(const char* name, const Doubles& values, Place place)
      : Array(name, static_cast<std::int64_t>(values.size()), place) {
    for (std::size_t i = 0; i < values.size(); ++i) room_.data()[i] = static_cast<float>(values[i]);
    room_.protect();
  }
  Array(const char* name, const Integers& values, Place place)
      : Array(name, static_cast<std::int64_t>(values.size()), place) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = static_cast<std::int32_t>(values[i]);
      std::memcpy(room_.data() + i, &value, sizeof value);
    }
    room_.protect();
  }

  void give(Launch& launch) const { launch.array(room_, count_); }
  Doubles values() const {
    room_.check();
    return {room_.data(), room_.data() + count_};
  }
  Integers integers() const {
    room_.check();
    Integers found;
    for (std::int64_t i = 0; i < count_; ++i) {
      std::int32_t value;
      std::memcpy(&value, room_.data() + i, sizeof value);
      found.push_back(value);
    }
    return found;
  }

 private:
  std::int64_t count_;
  Guarded room_;
};

struct Started {  // one start of a kernel
  const Record& in;
  Record& out;
  Place place;
  std::string suffix;  // of results' names

  Array input(const char* name) const { return {name, in.doubles(name), place}; }
  Array output(const char* name, std::int64_t count) const { return {name, count, place}; }
  void put(const char* name, const Sizes& shape, const Array& a) const {
    out.put(name + suffix, shape, a.values());
  }
  // Groups of the size that the test has.
  void run(Launch& launch, const std::vector<std::int64_t>& items) const {
    launch.run(items, in.integers("group"));
  }
};

std::vector<int> sizes_of(const Record& in) {
  const Integers& sizes = in.integers("shape");
  return {sizes.begin(), sizes.end()};
}
ConvShape conv_of(const Record& in) {
  const std::vector<int> v = sizes_of(in);
  return {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11]};
}
PoolShape pool_of(const Record& in) {
  const std::vector<int> v = sizes_of(in);
  return {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8]};
}
LrnShape lrn_of(const Record& in) {
  const std::vector<int> v = sizes_of(in);
  const auto real = [&](const char* name) { return static_cast<float>(in.number(name)); };
  return {v[0], v[1], v[2], v[3], v[4], real("alpha"), real("beta"), real("k")};
}

// ---- the kernels ------------------------------------------------------------------------------

template <class Shape>
void give(Launch& launch, const Shape& s, const std::vector<const Array*>& arrays) {
  launch.value(s);
  for (const Array* a : arrays) a->give(launch);
}

void forward(const Started& call) {
  const ConvShape s = conv_of(call.in);
  const Array x = call.input("x"), w = call.input("w"), b = call.input("b");
  const Array y = call.output("y", s.n * s.k * s.oh * s.ow);
  Launch launch("conv2d_forward");
  give(launch, s, {&x, &w, &b, &y});
  call.run(launch, {s.ow, s.oh, s.n * s.k});
  call.put("y", {s.n, s.k, s.oh, s.ow}, y);
}

void start_tiled(const Started& call, const Integers& items, const Integers& group,
                 std::int64_t patch_bytes) {
  const ConvShape s = conv_of(call.in);
  const Array x = call.input("x"), w = call.input("w"), b = call.input("b");
  const Array y = call.output("y", s.n * s.k * s.oh * s.ow);
  Launch launch("conv2d_tiled");
  give(launch, s, {&x, &w, &b, &y});
  launch.local(patch_bytes);
  launch.run(items, group);
  call.put("y", {s.n, s.k, s.oh, s.ow}, y);
}

void tiled(const Started& call) {
  const ConvShape s = conv_of(call.in);
  const Integers& group = call.in.integers("group");
  const std::int64_t width = (group[0] - 1) * s.stride + s.fw;
  const std::int64_t height = (group[1] - 1) * s.stride + s.fh;
  start_tiled(call, {s.ow, s.oh, s.n * s.k}, group,
              width * height * static_cast<std::int64_t>(sizeof(float)));
}

// With the student's sizes, for this device.
void tiled_as_chosen(const Started& call) {
  const OpenCl& cl = OpenCl::device();
  const auto local_bytes = cl.number<cl_ulong>(CL_DEVICE_LOCAL_MEM_SIZE);
  const Device device = {static_cast<int>(cl.number<std::size_t>(CL_DEVICE_MAX_WORK_GROUP_SIZE)),
                         static_cast<int>(std::min<cl_ulong>(local_bytes, 32768))};
  const WorkGroups g = choose_work_groups(conv_of(call.in), device);
  const Integers group = {g.local[0], g.local[1], 1};
  for (int i = 0; i < 2; ++i)
    if (g.local[i] < 1 || g.global[i] < 1 || g.global[i] % g.local[i] != 0)
      throw std::runtime_error("global sizes must be multiples of the local ones, from 1 on");
  start_tiled(call, {g.global[0], g.global[1], g.global[2]}, group, g.patch_bytes);
}

void pool(const Started& call) {
  const PoolShape s = pool_of(call.in);
  const Array x = call.input("x"), y = call.output("y", s.n * s.c * s.oh * s.ow);
  const Array argmax = call.output("argmax", s.n * s.c * s.oh * s.ow);
  Launch launch("max_pool_forward");
  give(launch, s, {&x, &y, &argmax});
  call.run(launch, {s.ow, s.oh, s.n * s.c});
  call.put("y", {s.n, s.c, s.oh, s.ow}, y);
  call.out.put("argmax" + call.suffix, argmax.integers());
}

void pool_backward(const Started& call) {
  const PoolShape s = pool_of(call.in);
  const Array dy = call.input("dy");
  const Array argmax("argmax", call.in.integers("argmax"), call.place);
  const Array dx = call.output("dx", s.n * s.c * s.h * s.w);
  Launch launch("max_pool_backward");
  give(launch, s, {&dy, &argmax, &dx});
  call.run(launch, {s.w, s.h, s.n * s.c});
  call.put("dx", {s.n, s.c, s.h, s.w}, dx);
}

void lrn(const Started& call) {
  const LrnShape s = lrn_of(call.in);
  const std::int64_t count = s.n * s.c * s.h * s.w;
  const Array x = call.input("x"), y = call.output("y", count), scale = call.output("scale", count);
  Launch launch("lrn_forward");
  give(launch, s, {&x, &y, &scale});
  call.run(launch, {s.h * s.w, s.c, s.n});
  call.put("y", call.in.shape("x"), y);
  call.put("scale", call.in.shape("x"), scale);
}

void lrn_backward(const Started& call) {
  const LrnShape s = lrn_of(call.in);
  const Array x = call.input("x"), scale = call.input("scale"), dy = call.input("dy");
  const Array dx = call.output("dx", s.n * s.c * s.h * s.w);
  Launch launch("lrn_backward");
  give(launch, s, {&x, &scale, &dy, &dx});
  call.run(launch, {s.h * s.w, s.c, s.n});
  call.put("dx", call.in.shape("x"), dx);
}

template <void (*once)(const Started&)>
void both_places(const Record& in, Record& out) {
  Guarded::explain_crashes();
  // Oclgrind looks at each access itself; what a kernel prints is not to be taken for its findings.
  const bool oclgrind = in.has("oclgrind");
  if (oclgrind && !in.has("counted") && std::freopen("/dev/null", "w", stdout) == nullptr)
    throw std::runtime_error("standard output cannot be closed");
  once({in, out, Place::kEnd, " end"});
  if (!oclgrind) once({in, out, Place::kBegin, " begin"});
}

// ---- 6.7 --------------------------------------------------------------------------------------

void choose(const Record& in, Record& out) {
  const Integers& d = in.integers("device");
  const WorkGroups g =
      choose_work_groups(conv_of(in), {static_cast<int>(d[0]), static_cast<int>(d[1])});
  out.put("local", Integers{g.local[0], g.local[1]});
  out.put("global", Integers{g.global[0], g.global[1], g.global[2]});
  out.put("patch", g.patch_bytes);
}

}  // namespace

const std::map<std::string, Call>& calls() {
  static const std::map<std::string, Call> table = {
      {"conv2d_forward", both_places<forward>},
      {"conv2d_tiled", both_places<tiled>},
      {"conv2d_tiled, as chosen", both_places<tiled_as_chosen>},
      {"max_pool_forward", both_places<pool>},
      {"max_pool_backward", both_places<pool_backward>},
      {"lrn_forward", both_places<lrn>},
      {"lrn_backward", both_places<lrn_backward>},
      {"choose_work_groups", choose}};
  return table;
}

}  // namespace course
