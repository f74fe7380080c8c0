// Fills, and copies of blocks. They move bytes, of any type: 2, 4 and 8 in the names are the size
// of an element.
#define FILL(NAME, WORD) \
  kernel void NAME(WORD value, global WORD* y, long n) { FOR_MY_ELEMENTS(i, n) y[i] = value; }
FILL(fill_2, ushort)
FILL(fill_4, uint)
FILL(fill_8, ulong)

// Row r of a block of `cols` elements stands at offset + r * stride, in the source as in the
// destination. Items: (run of a row, row).
#define COPY_BLOCK(NAME, WORD)                                                                   \
  kernel void NAME(global const WORD* from, long from_offset, long from_stride, global WORD* to, \
                   long to_offset, long to_stride, long cols) {                                  \
    from += from_offset + get_global_id(1) * from_stride;                                        \
    to += to_offset + get_global_id(1) * to_stride;                                              \
    FOR_MY_ELEMENTS(i, cols) to[i] = from[i];                                                    \
  }
COPY_BLOCK(copy_block_2, ushort)
COPY_BLOCK(copy_block_4, uint)
COPY_BLOCK(copy_block_8, ulong)
