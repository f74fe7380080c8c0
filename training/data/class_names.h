#pragma once
// The names of classes, compared as people read them. A name such as "café" can be written with one
// code point for é or with two, e and an accent; file systems and archives turn one into the other.
// Both are the same name here (Unicode's canonical equivalence, form NFC), where the build found
// utf8proc (CMake's LIMULUS_UNICODE).
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace limulus {

bool compares_unicode();  // whether this build has utf8proc

// One spelling for all canonically equivalent names. Text that is not UTF-8 stays as it is.
std::string canonical(const std::string& name);

// One spelling for all names that differ at most in capital and small letters. Without utf8proc,
// this holds for the letters of ASCII only.
std::string without_case(const std::string& name);

bool same_names(const std::vector<std::string>& a, const std::vector<std::string>& b);

// "daisy, roses, tulips"; of a long list, the first names and how many more there are.
std::string names_text(const std::vector<std::string>& names, std::size_t most = 12);

class ClassNames {
 public:
  // ValueError when two of them are the same name in two spellings.
  explicit ClassNames(const std::vector<std::string>& names);

  std::int64_t find(const std::string& name) const;  // its index, or -1

  // What to say about a name that was not found: which of these it resembles and in what it
  // differs, or which names exist.
  std::string explain_missing(const std::string& name) const;

 private:
  std::vector<std::string> names_;
  std::map<std::string, std::int64_t> index_;  // by the canonical spelling
};

}  // namespace limulus
