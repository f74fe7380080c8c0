#include "arrays.h"

#include <algorithm>
#include <functional>
#include <istream>
#include <numeric>
#include <ostream>
#include <stdexcept>

namespace course {
namespace {

constexpr char kMagic[4] = {'L', 'I', 'M', 'A'};
constexpr std::int64_t kMostValues = std::int64_t{1} << 24;  // of one array
constexpr std::uint32_t kMostArrays = 1024, kLongestName = 256, kMostAxes = 8;

template <class T>
void write_raw(std::ostream& out, const T* values, std::size_t count) {
  out.write(reinterpret_cast<const char*>(values), static_cast<std::streamsize>(count * sizeof(T)));
}

template <class T>
void read_raw(std::istream& in, T* values, std::size_t count) {
  const auto bytes = static_cast<std::streamsize>(count * sizeof(T));
  if (!in.read(reinterpret_cast<char*>(values), bytes))
    throw std::runtime_error("the file of results ends in the middle of an array");
}

std::uint32_t read_count(std::istream& in, std::uint32_t most) {
  std::uint32_t n = 0;
  read_raw(in, &n, 1);
  if (n > most) throw std::runtime_error("the file of results is damaged");
  return n;
}

}  // namespace

std::int64_t product(const Sizes& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}

void Record::put(const std::string& name, Sizes shape, Doubles values) {
  arrays_[name] = {'d', std::move(shape), std::move(values), {}, {}};
}
void Record::put(const std::string& name, Integers values) {
  const auto n = static_cast<std::int64_t>(values.size());
  arrays_[name] = {'i', {n}, {}, std::move(values), {}};
}
void Record::put(const std::string& name, const std::string& text) {
  arrays_[name] = {'t', {static_cast<std::int64_t>(text.size())}, {}, {}, text};
}

std::vector<std::string> Record::names() const {
  std::vector<std::string> found;
  for (const auto& [name, a] : arrays_) found.push_back(name);
  return found;
}
void Record::copy(const std::string& name, const Record& other, const std::string& its_name) {
  arrays_[name] = other.arrays_.at(its_name);
}

const Record::Array& Record::get(const std::string& name, char kind) const {
  const auto found = arrays_.find(name);
  if (found == arrays_.end() || found->second.kind != kind)
    throw std::runtime_error("there is no '" + name + "' of the kind that is asked for");
  return found->second;
}

std::int64_t Record::integer(const std::string& name) const {
  const Integers& values = integers(name);
  if (values.size() != 1) throw std::runtime_error("'" + name + "' is not one number");
  return values[0];
}

double Record::number(const std::string& name) const {
  const Doubles& values = doubles(name);
  if (values.size() != 1) throw std::runtime_error("'" + name + "' is not one number");
  return values[0];
}

void Record::write(std::ostream& out) const {
  write_raw(out, kMagic, sizeof kMagic);
  const auto count = static_cast<std::uint32_t>(arrays_.size());
  write_raw(out, &count, 1);
  for (const auto& [name, a] : arrays_) {
    const auto length = static_cast<std::uint32_t>(name.size());
    const auto rank = static_cast<std::uint32_t>(a.shape.size());
    write_raw(out, &a.kind, 1);
    write_raw(out, &length, 1);
    write_raw(out, name.data(), name.size());
    write_raw(out, &rank, 1);
    write_raw(out, a.shape.data(), a.shape.size());
    write_raw(out, a.doubles.data(), a.doubles.size());
    write_raw(out, a.integers.data(), a.integers.size());
    write_raw(out, a.text.data(), a.text.size());
  }
  out.flush();
}

Record::Array Record::read_array(std::istream& in, std::string& name) {
  Array a;
  read_raw(in, &a.kind, 1);
  name.resize(read_count(in, kLongestName));
  read_raw(in, name.data(), name.size());
  a.shape.resize(read_count(in, kMostAxes));
  read_raw(in, a.shape.data(), a.shape.size());
  std::int64_t values = 1;  // checked at each step, so that no product overflows
  for (const std::int64_t size : a.shape) {
    if (size < 0 || size > kMostValues || values * size > kMostValues)
      throw std::runtime_error("the file of results is damaged");
    values *= size;
  }
  const auto n = static_cast<std::size_t>(values);
  switch (a.kind) {
    case 'd':
      a.doubles.resize(n);
      read_raw(in, a.doubles.data(), n);
      break;
    case 'i':
      a.integers.resize(n);
      read_raw(in, a.integers.data(), n);
      break;
    case 't':
      a.text.resize(n);
      read_raw(in, a.text.data(), n);
      break;
    default:
      throw std::runtime_error("the file of results is damaged");
  }
  return a;
}

bool Record::read(std::istream& in) {
  arrays_.clear();
  if (in.peek() == std::istream::traits_type::eof()) return false;
  char magic[4];
  read_raw(in, magic, sizeof magic);
  if (!std::equal(magic, magic + 4, kMagic))
    throw std::runtime_error("the file of results is damaged");
  const std::uint32_t count = read_count(in, kMostArrays);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::string name;
    Array a = read_array(in, name);
    arrays_[name] = std::move(a);
  }
  return true;
}

}  // namespace course
