#pragma once
// Named arrays in a file: what the judge writes for a program under test, and what it answers.
//
// A file is a list of records; a record is one call of a function, or its results. All numbers are
// little-endian:
//
//     record   "LIMA", then the number of arrays (u32), then the arrays
//     array    kind ('d' double, 'i' int64, 't' text), the length of its name (u32) and the name,
//              its rank (u32), its sizes (i64 each), its values (of a text: its bytes, rank 1)
#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

namespace course {

using Sizes = std::vector<std::int64_t>;
using Doubles = std::vector<double>;
using Integers = std::vector<std::int64_t>;

class Record {
 public:
  void put(const std::string& name, Sizes shape, Doubles values);
  void put(const std::string& name, Integers values);
  void put(const std::string& name, std::int64_t value) { put(name, Integers{value}); }
  void put(const std::string& name, const std::string& text);

  bool has(const std::string& name) const { return arrays_.count(name) != 0; }
  // std::runtime_error, with the name, when there is no such array of this kind.
  const Doubles& doubles(const std::string& name) const { return get(name, 'd').doubles; }
  const Integers& integers(const std::string& name) const { return get(name, 'i').integers; }
  std::int64_t integer(const std::string& name) const;
  double number(const std::string& name) const;
  const std::string& text(const std::string& name) const { return get(name, 't').text; }
  const Sizes& shape(const std::string& name) const { return get(name, 'd').shape; }
  std::vector<std::string> names() const;
  // A copy of another record's array, of whichever kind.
  void copy(const std::string& name, const Record& other, const std::string& its_name);

  void write(std::ostream& out) const;
  // False at the end of the stream. std::runtime_error when what follows is not a record: the file
  // may come from a program that wrote anything.
  bool read(std::istream& in);

 private:
  struct Array {
    char kind = 'd';
    Sizes shape;
    Doubles doubles;
    Integers integers;
    std::string text;
  };
  const Array& get(const std::string& name, char kind) const;
  static Array read_array(std::istream& in, std::string& name);

  std::map<std::string, Array> arrays_;
};

std::int64_t product(const Sizes& sizes);

}  // namespace course
