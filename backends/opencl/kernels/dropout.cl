// Dropout (Krizhevsky et al. 2012, section 4.2) in the inverted form:
//
//     y_i = x_i / (1 - p)   if word i of the key's Philox sequence is at or above p 2^32,   else 0
//
// Word i depends on the key and on i alone, and the arithmetic is on whole numbers: every device
// drops the same elements. core/philox.h explains the generator; this is the same in OpenCL C, in
// which mul_hi is the upper half of a product.
uint4 philox4x32(uint4 c, uint k0, uint k1) {
  for (int round = 0; round < 10; ++round) {
    const uint hi0 = mul_hi(0xD2511F53u, c.x), lo0 = 0xD2511F53u * c.x;
    const uint hi1 = mul_hi(0xCD9E8D57u, c.z), lo1 = 0xCD9E8D57u * c.z;
    c = (uint4)(hi1 ^ c.y ^ k0, lo1, hi0 ^ c.w ^ k1, lo0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

// Items: runs of blocks; a block is four words, for four elements.
kernel void dropout(global const REAL* x, global REAL* y, long n, REAL keep, uint threshold,
                    ulong seed, ulong stream) {
  FOR_MY_ELEMENTS(block, (n + 3) / 4) {
    const uint4 words = philox4x32(
        (uint4)((uint)block, (uint)((ulong)block >> 32), (uint)stream, (uint)(stream >> 32)),
        (uint)seed, (uint)(seed >> 32));
    const long i = 4 * block;
    if (i + 0 < n) y[i + 0] = words.x >= threshold ? x[i + 0] / keep : (REAL)0;
    if (i + 1 < n) y[i + 1] = words.y >= threshold ? x[i + 1] / keep : (REAL)0;
    if (i + 2 < n) y[i + 2] = words.z >= threshold ? x[i + 2] / keep : (REAL)0;
    if (i + 3 < n) y[i + 3] = words.w >= threshold ? x[i + 3] / keep : (REAL)0;
  }
}
