// The functions that JavaScript calls, and the program that answers the same requests without a
// browser (answers.cpp): text goes in and comes out, arrays are read and written where they lie.
// None of them throws: an exception cannot cross into JavaScript.
#include "browser/exports.h"

#include <exception>
#include <string>

#include "browser/answer.h"
#include "browser/shelf.h"

using namespace limulus;

extern "C" {

const char* lab_ask(const char* request) {
  static std::string last;  // until the next question
  last = browser::answer(request);
  return last.c_str();
}

std::uint8_t* lab_bytes(const char* name, std::size_t size) {
  try {
    return browser::put_bytes(name, size);
  } catch (const std::exception&) {
    return nullptr;
  }
}

const double* lab_values(const char* name) {
  try {
    return browser::values_of(name).data();
  } catch (const std::exception&) {
    return nullptr;
  }
}

std::size_t lab_count(const char* name) {
  try {
    return browser::values_of(name).size();
  } catch (const std::exception&) {
    return 0;
  }
}

}  // extern "C"
