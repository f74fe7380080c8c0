#pragma once
// What a page asks of the library, and what it is answered: text, in JSON, one request and one
// answer. A request names what it asks for, and its numbers:
//
//     {"ask": "element", "stage": 0, "index": [2, 10, 10]}
//
// Whatever goes wrong is an answer, too: {"error": "conv2d: 3 input channels cannot be cut ..."}.
// Large arrays do not pass through here (shelf.h).
#include <nlohmann/json.hpp>
#include <string>

namespace limulus::browser {

using Json = nlohmann::ordered_json;

std::string answer(const std::string& request);  // throws nothing

// ---- the laboratories, one file each; any exception is the page's error message ----------------

Json convolution(const Json& request);  // convolution_lab.cpp: makes and runs the layers
Json element(const Json& request);      // an output's arithmetic, term by term
Json reach(const Json& request);        // an input's gradient, with dy = 1 everywhere
Json gradient(const Json& request);     // of one output, by every value of the photograph

Json mistakes(const Json& request);  // gradient_lab.cpp: the bank of mistakes
Json check(const Json& request);     // the gradient check of one of them, or of a right layer

Json digit(const Json& request);  // digit_lab.cpp: LeNet-5 looks at a drawing

Json train_begin(const Json& request);  // training_lab.cpp
Json train_steps(const Json& request);
Json train_test(const Json& request);

// ---- reading a request --------------------------------------------------------------------------

// The whole number, text or switch of that name. ValueError where it is missing, of another type,
// or a number beyond a million, either way.
std::int64_t whole(const Json& request, const char* name);
double number(const Json& request, const char* name);
std::string text(const Json& request, const char* name);
std::vector<std::int64_t> wholes(const Json& request, const char* name);

}  // namespace limulus::browser
