// Copies of planes with zeros around them, as conv2d.cl makes them and winograd.cl imagines them.
//
// One image for each of `planes` planes of [h, w], and each phase of it:
//     to[plane, a, b, row, q] = x[plane, a + sh row - ph, b + sw q - pw]
// of `rows` rows of `pitch` numbers each, and `tail` zeros after the last.
typedef struct {  // the same as Spread in convolution.h
  long h, w, sh, sw, ph, pw, rows, pitch, tail;
  long read_h, read_w;  // the part of h and w that windows read; zeros behind
} Spread;
