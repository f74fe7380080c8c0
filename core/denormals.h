#pragma once
// Denormal numbers, and how to do without them.
//
// The smallest float with all its digits is 2^-126 (1.2e-38). Below it come the denormal numbers,
// down to 2^-149, with fewer and fewer digits: they let a difference of two unequal numbers never
// be 0. Many processors compute with them in microcode, up to a hundred times more slowly; on
// others, as AMD's Zen 5, they cost nothing. Networks seldom meet them: in gradients or weights
// that vanish. Where they do,
//
//     const FlushDenormals flush;
//
// makes this thread's arithmetic treat them as 0, operands and results, until the scope ends,
// together with that of all threads that compute for it: results are the same for any number of
// threads. It costs nothing, and changes what is below 1.2e-38 (in double, 2.2e-308), and what
// follows from that.
//
// On an OpenCL device kernels are built with -cl-denorms-are-zero in such a scope, which a driver
// may follow or not. Off by default; `limulus train --flush-denormals` and others turn it on.
namespace limulus {

class FlushDenormals {
 public:
  explicit FlushDenormals(bool on = true);  // false: as if no scope were around
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

  static bool active();  // in this thread

 private:
  bool before_;
};

}  // namespace limulus
