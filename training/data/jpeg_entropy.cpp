#include "training/data/jpeg_entropy.h"

#include <fmt/format.h>

#include <bit>

namespace limulus::jpeg {

bool make_table(Bytes counts, Bytes symbols, HuffmanTable* table) {
  *table = HuffmanTable{};
  table->symbols.assign(symbols.begin(), symbols.end());
  std::int32_t code = 0, place = 0;
  for (int length = 1; length <= 16; ++length, code <<= 1) {
    table->offset[length] = place - code;
    for (int i = 0; i < counts[length - 1]; ++i, ++code, ++place) {
      if (code + 1 >= 1 << length) return false;
      if (length > HuffmanTable::kFast) continue;
      const int free_bits = HuffmanTable::kFast - length;
      for (int low = 0; low < 1 << free_bits; ++low)
        table->fast[code << free_bits | low] = {static_cast<std::uint8_t>(length), symbols[place]};
    }
    table->past[length] = code;
  }
  table->defined = true;
  return true;
}

namespace {

// What is wrong, thrown within this file only.
struct Trouble {
  std::string what;
};

// Reads bits, the highest of each byte first. A data byte FF is followed by 00; FF and
// anything else is a marker, where reading stops. Behind it come zeros, and count() < 0 tells
// of them.
class BitReader {
 public:
  BitReader(Bytes bytes, std::size_t at) : bytes_(bytes), at_(at) {}

  // Loads at least 32 bits, or all that are left.
  void refill() {
    while (count_ <= 32) {
      if (bytes_.size() - at_ >= 4) {
        const std::uint32_t four = std::uint32_t{bytes_[at_]} << 24 | bytes_[at_ + 1] << 16 |
                                   bytes_[at_ + 2] << 8 | bytes_[at_ + 3];
        // No byte of them is FF: adding 1 to none of the inverted bytes borrows.
        if (((~four - 0x01010101u) & four & 0x80808080u) == 0) {
          bits_ |= std::uint64_t{four} << (32 - count_);
          count_ += 32;
          at_ += 4;
          continue;
        }
      }
      if (!take_byte()) return;
    }
  }

  std::uint32_t peek(int n) const { return static_cast<std::uint32_t>(bits_ >> (64 - n)); }
  void skip(int n) {
    bits_ <<= n;
    count_ -= n;
  }
  std::uint32_t bits(int n) {  // n from 1
    if (count_ < n) refill();
    const std::uint32_t value = peek(n);
    skip(n);
    if (count_ < 0) throw_end();
    return value;
  }

  // The next symbol. Of the bits behind it, this skips as many as its lower four bits say (none if
  // extra_mask is 0).
  int symbol(const HuffmanTable& table, int extra_mask) {
    if (count_ < 32) refill();
    const auto entry = table.fast[peek(HuffmanTable::kFast)];
    const auto [length, symbol] = entry.length != 0 ? entry : long_code(table);
    skip(length + (symbol & extra_mask));
    if (count_ < 0) throw_end();
    return symbol;
  }

  // Moves to the next marker. Returns how many whole bytes lie between.
  std::size_t to_marker() {
    std::size_t between = 0;
    for (refill(); count_ >= 8; refill()) {
      between += static_cast<std::size_t>(count_ / 8);
      count_ %= 8;
      bits_ = 0;
    }
    bits_ = 0;
    count_ = 0;
    return between;
  }
  std::size_t at() const { return at_; }
  void pass(std::size_t n) { at_ += n; }

  [[noreturn, gnu::noinline]] static void throw_end() { throw Trouble{""}; }

 private:
  [[gnu::noinline]] HuffmanTable::Entry long_code(const HuffmanTable& table) const {
    for (int length = HuffmanTable::kFast + 1; length <= 16; ++length) {
      const auto code = static_cast<std::int32_t>(peek(length));
      const std::int32_t place = code + table.offset[length];
      if (code < table.past[length])
        return {static_cast<std::uint8_t>(length), table.symbols[static_cast<std::size_t>(place)]};
    }
    if (count_ < 16) throw_end();
    throw Trouble{"there is a code that its Huffman table does not have"};
  }

  bool take_byte() {
    if (at_ == bytes_.size()) return false;
    const std::uint8_t byte = bytes_[at_];
    if (byte == 0xFF) {
      std::size_t next = at_ + 1;
      while (next < bytes_.size() && bytes_[next] == 0xFF) ++next;
      if (next == bytes_.size() || bytes_[next] != 0) return false;
      at_ = next;
    }
    ++at_;
    bits_ |= std::uint64_t{byte} << (56 - count_);
    count_ += 8;
    return true;
  }

  Bytes bytes_;
  std::size_t at_;
  std::uint64_t bits_ = 0;  // the next bit is the highest
  int count_ = 0;
};

constexpr const char* kPastBlock = "a coefficient lies beyond the 64 of its block";

// All of a block, as baseline stores it. A symbol's upper half counts zeros before a coefficient,
// its lower half the coefficient's bits; 00 ends the block, F0 is 16 zeros.
void sequential_block(BitReader& in, const ScanPart& part) {
  in.symbol(*part.dc, 15);
  for (int k = 1; k < 64;) {
    const int symbol = in.symbol(*part.ac, 15), zeros = symbol >> 4;
    if ((symbol & 15) == 0) {
      if (zeros < 15) return;
      k += 16;
      if (k > 64) throw Trouble{kPastBlock};
      continue;
    }
    k += zeros;
    if (k > 63) throw Trouble{kPastBlock};
    ++k;
  }
}

// A band of coefficients, their upper bits. `run` counts blocks that are known to hold nothing.
void first_band(BitReader& in, const Scan& scan, const HuffmanTable& table, std::uint64_t& not_zero,
                std::int64_t& run) {
  if (run > 0) {
    --run;
    return;
  }
  for (int k = scan.first; k <= scan.last; ++k) {
    const int symbol = in.symbol(table, 0), zeros = symbol >> 4, bits = symbol & 15;
    if (bits == 0 && zeros < 15) {  // 2^zeros blocks end here, and so many more
      run = (std::int64_t{1} << zeros) - 1;
      if (zeros > 0) run += in.bits(zeros);
      return;
    }
    k += zeros;
    if (k > scan.last) throw Trouble{kPastBlock};
    if (bits == 0) continue;
    in.bits(bits);
    not_zero |= std::uint64_t{1} << k;
  }
}

// One more bit of a band. A coefficient that is not 0 already gets only that bit; between these,
// symbols tell which coefficients become 1 or -1 now.
void next_bit_of_band(BitReader& in, const Scan& scan, const HuffmanTable& table,
                      std::uint64_t& not_zero, std::int64_t& run) {
  int k = scan.first;
  const auto known = [&] { return (not_zero >> k & 1) != 0; };
  while (run == 0 && k <= scan.last) {
    const int symbol = in.symbol(table, 0), bits = symbol & 15;
    int zeros = symbol >> 4;
    if (bits > 1) throw Trouble{"a coefficient of more than one bit in a scan of single bits"};
    if (bits == 0 && zeros < 15) {
      run = std::int64_t{1} << zeros;
      if (zeros > 0) run += in.bits(zeros);
      break;
    }
    if (bits == 1) in.bits(1);  // its sign
    for (; k <= scan.last; ++k) {
      if (known())
        in.bits(1);
      else if (zeros-- == 0)
        break;
    }
    if (k > scan.last && bits == 1) throw Trouble{kPastBlock};
    if (k <= scan.last && bits == 1) not_zero |= std::uint64_t{1} << k;
    ++k;
  }
  if (run == 0) return;
  --run;
  for (; k <= scan.last; ++k)
    if (known()) in.bits(1);
}

void read_block(BitReader& in, const Scan& scan, const ScanPart& part, std::int64_t index,
                std::int64_t& run) {
  if (!scan.progressive) return sequential_block(in, part);
  if (scan.first == 0) {
    if (scan.high == 0)
      in.symbol(*part.dc, 15);
    else
      in.bits(1);
    return;
  }
  std::uint64_t& not_zero = part.component->not_zero[static_cast<std::size_t>(index)];
  (scan.high == 0 ? first_band : next_bit_of_band)(in, scan, *part.ac, not_zero, run);
}

// Restart markers are numbered from 0 to 7 and again from 0.
void read_restart(BitReader& in, Bytes bytes, int number) {
  if (in.to_marker() > 0) throw Trouble{"there is too much data before a restart marker"};
  std::size_t marker = in.at();
  while (marker < bytes.size() && bytes[marker] == 0xFF) ++marker;
  if (marker >= bytes.size()) BitReader::throw_end();
  if (bytes[marker] != 0xD0 + number)
    throw Trouble{
        fmt::format("restart marker {} is missing, {:02x} is in its place", number, bytes[marker])};
  in.pass(marker + 1 - in.at());
}

}  // namespace

ScanResult read_scan(Bytes bytes, std::size_t at, const Scan& scan) {
  constexpr std::size_t kPadding = 64;  // some cameras fill up to a whole number of words
  BitReader in(bytes, at);
  std::int64_t mcu = 0, run = 0;
  try {
    int restarts = 0;
    for (; mcu < scan.mcus; ++mcu) {
      if (scan.restart > 0 && mcu > 0 && mcu % scan.restart == 0) {
        read_restart(in, bytes, restarts++ % 8);
        run = 0;
      }
      for (const ScanPart& part : scan.parts) {
        const int blocks = scan.parts.size() == 1 ? 1 : part.component->h * part.component->v;
        for (int b = 0; b < blocks; ++b) read_block(in, scan, part, mcu, run);
      }
    }
    const std::size_t more = in.to_marker();
    if (more > kPadding)
      return {fmt::format("the compressed data of a scan goes on for {} bytes after the last of "
                          "its {} parts",
                          more, scan.mcus),
              0};
    // A restart marker may close the last piece, too.
    std::size_t end = in.at();
    if (scan.restart > 0 && scan.mcus % scan.restart == 0 && bytes.size() - end >= 2 &&
        bytes[end + 1] == 0xD0 + restarts % 8)
      end += 2;
    return {"", end};
  } catch (const Trouble& trouble) {
    const bool ended = trouble.what.empty();
    return {fmt::format("in part {} of {} of a scan {}", mcu + 1, scan.mcus,
                        ended ? "the compressed data ends" : trouble.what),
            0};
  }
}

}  // namespace limulus::jpeg
