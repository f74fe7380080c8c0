#pragma once
// judge route INPUTS RESULTS FD ...: a test of several ranks, each a process of its own.
#include "judge.h"

namespace course {

// Makes each call of the file of inputs on all ranks at once, passes their messages on, and writes
// one record of results for each call. `channels[r]` is the socket of rank r.
//
//     of a call    "ranks" [1]: the first so many take part. An array "x@1" is given to rank 1
//                  alone, and named "x" there; one without "@" is given to all
//     of results   "y@1": y of rank 1. "values" and "messages" [ranks*ranks]: what went from rank r
//                  to rank s is at r*ranks + s. Or nothing but one of these: "not written" and
//                  "error", as of any program; "stuck", why no rank can go on; "ended", which one
//                  has ended before it has returned
void route(const std::string& inputs, const std::string& results, const std::vector<int>& channels);

}  // namespace course
