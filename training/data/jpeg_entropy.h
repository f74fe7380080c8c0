#pragma once
// The entropy-coded part of a JPEG, read without computing a pixel: is all of it there?
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace limulus::jpeg {

using Bytes = std::span<const std::uint8_t>;

// A Huffman table as a JPEG holds it: how many codes have 1, 2 ... 16 bits, and the symbols in
// order of their codes, which are numbered from 0 within each length.
struct HuffmanTable {
  bool defined = false;
  // Of codes up to kFast bits: every pattern of kFast bits that begins with the code has its length
  // and symbol; length 0 is a longer code, or none.
  static constexpr int kFast = 9;
  struct Entry {
    std::uint8_t length = 0, symbol = 0;
  };
  std::array<Entry, 1 << kFast> fast{};
  std::array<std::int32_t, 18> past{};    // one more than the last code of each length
  std::array<std::int32_t, 17> offset{};  // code + offset = place of its symbol
  std::vector<std::uint8_t> symbols;
};

// `counts` has 16 numbers, `symbols` as many as they sum up to. False when there are more codes of
// a length than it has room for; the code of all ones must stay free, too.
bool make_table(Bytes counts, Bytes symbols, HuffmanTable* table);

struct Component {
  int id = 0, h = 1, v = 1, quantization = 0;
  std::int64_t columns = 0, rows = 0;  // of blocks, in a scan of this component alone
  bool seen = false;                   // in a sequential picture: its scan was there
  // For a progressive picture: the lowest bit that was sent of each coefficient, -1 before the
  // first; and which coefficients of each block are not 0, which decides what a later scan holds.
  std::array<std::int8_t, 64> lowest_bit;
  std::vector<std::uint64_t> not_zero;
};

struct ScanPart {
  Component* component;
  const HuffmanTable *dc, *ac;  // null where the scan needs none
};

struct Scan {
  std::vector<ScanPart> parts;
  std::int64_t mcus = 0;  // what is repeated: a block of a single component, or h x v of each
  bool progressive = false;
  int first = 0, last = 63;  // coefficients
  int high = 0, low = 0;     // bits: `high` was sent before, or 0
  int restart = 0;           // MCUs between two restart markers; 0: there are none
};

// Reads the scan that begins at `at`. The result says where it ends (at the marker behind it) and
// what is missing or damaged, "" when all is there.
struct ScanResult {
  std::string trouble;
  std::size_t end = 0;
};
ScanResult read_scan(Bytes bytes, std::size_t at, const Scan& scan);

}  // namespace limulus::jpeg
