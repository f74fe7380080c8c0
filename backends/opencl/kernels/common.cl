// What all kernels share; the host puts this file in front of each of the others.
//
// The host gives, as -D options (tuning.h):
//     REAL         float or double; REAL_IS_DOUBLE is defined with the latter
//     PROCESSOR    defined where items are long loops, and groups one item
//     VEC          numbers of one OpenCL vector: on a processor, its registers' width
//     RUN          neighbouring elements of one item in a simple loop
//     RUN_ACROSS   pixels or results of an item along an outer axis (lrn.cl, reduce.cl)
//     MR           rows of an item's tile, which is 2 VEC wide (tile.cl)
//     GROUP_A, GROUP_B, SLICE    tiles of a group, and the steps that they fetch at a time
//     K_BLOCK      steps of A that are packed together (gemm.cl); on a GPU positions that a sum
//                  takes together (conv2d_backward.cl)
//     TAPS_RUN     taps of one item of the weights' gradient (conv2d_backward.cl)
//     GROUP        items of a group along the first axis, where they do not share a tile
//
// Work-items: on a processor, a work-group is a call of a function, and the compiler makes vectors
// of a plain loop; so an item handles a run of some thousand elements, and a group is one item. On
// a GPU neighbouring items should touch neighbouring elements, and an item has little work.
#ifdef REAL_IS_DOUBLE
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
typedef JOIN(REAL, VEC) REALV;  // float16, double8 ...
#ifdef REAL_IS_DOUBLE
#define MASK long
#else
#define MASK int
#endif
typedef JOIN(MASK, VEC) MASKV;  // what a comparison of two REALV gives
#define LOADV(p) JOIN(vload, VEC)(0, p)
#define STOREV(v, p) JOIN(vstore, VEC)(v, 0, p)

// sum += term for REAL, REALV or LANE, where `lost` holds what earlier additions rounded away, and
// is added back with the next term (Kahan, 1965). The error of a long sum is then that of two
// additions. An infinite sum has lost nothing that counts.
#define ADD_COMPENSATED(TYPE, sum, term, lost)                  \
  {                                                             \
    const TYPE whole = (term) - (lost), result = (sum) + whole; \
    const TYPE dropped = (result - (sum)) - whole;              \
    lost = dropped == dropped ? dropped : (TYPE)0;              \
    sum = result;                                               \
  }

// The lanes of a vector added up, always in the same order.
REAL sum_of(REALV v) {
  REAL lane[VEC];
  STOREV(v, lane);
  for (int step = VEC / 2; step > 0; step /= 2)
    for (int l = 0; l < step; ++l) lane[l] += lane[l + step];
  return lane[0];
}

// The elements of this item: i of [0, n), RUN of them. On a processor they are neighbours. Each
// element is handled by itself, so a compiler may use vectors even if two arrays are the same array
// (in place); this pragma says so to compilers that know it. On a GPU neighbours belong to
// neighbouring items, and an item's next element is a whole group away. It declares two variables,
// so it can stand once in a scope.
#ifdef PROCESSOR
#define FOR_MY_ELEMENTS(i, n)                         \
  const long my_begin = (long)get_global_id(0) * RUN; \
  const long my_end = min((long)(n), my_begin + RUN); \
  _Pragma("clang loop vectorize(assume_safety)") for (long i = my_begin; i < my_end; ++i)
#else
#define FOR_MY_ELEMENTS(i, n)                                                      \
  const long group_begin = (long)get_group_id(0) * get_local_size(0) * RUN;        \
  const long my_end = min((long)(n), group_begin + (long)get_local_size(0) * RUN); \
  for (long i = group_begin + get_local_id(0); i < my_end; i += get_local_size(0))
#endif

// Neighbouring elements that a loop takes together: a vector on a processor, one element on a GPU,
// where the neighbours are other items. At the end there may be fewer, n.
#ifdef PROCESSOR
#define LANES VEC
typedef REALV LANE;
#define LOAD_LANE(p) LOADV(p)
#define STORE_LANE(v, p) STOREV(v, p)
LANE load_lanes(global const REAL* p, long n) {
  if (n >= VEC) return LOADV(p);
  REAL lane[VEC];
  for (int l = 0; l < VEC; ++l) lane[l] = l < n ? p[l] : (REAL)0;
  return LOADV(lane);
}
void store_lanes(LANE v, global REAL* p, long n) {
  if (n >= VEC) {
    STOREV(v, p);
    return;
  }
  REAL lane[VEC];
  STOREV(v, lane);
  for (int l = 0; l < n; ++l) p[l] = lane[l];
}
#else
#define LANES 1
typedef REAL LANE;
#define LOAD_LANE(p) (*(p))
#define STORE_LANE(v, p) (*(p) = (v))
LANE load_lanes(global const REAL* p, long n) { return *p; }
void store_lanes(LANE v, global REAL* p, long n) { *p = v; }
#endif

#ifndef PROCESSOR
// e / d, for numbers that are not negative: a card has no division of 64 bits, and most are small.
long quotient(long e, long d) { return ((e | d) >> 32) == 0 ? (long)((uint)e / (uint)d) : e / d; }

// The sum, or whatever JOIN_IN makes of two, of a number of each item of a group, in the same order
// every time; all items get it. `shared`: a local array of GROUP numbers.
#define JOIN_OF_GROUP(value, shared, JOIN_IN)                                 \
  {                                                                           \
    barrier(CLK_LOCAL_MEM_FENCE);                                             \
    shared[get_local_id(0)] = value;                                          \
    for (int count = GROUP; count > 1;) {                                     \
      const int half_way = (count + 1) / 2;                                   \
      barrier(CLK_LOCAL_MEM_FENCE);                                           \
      if ((int)get_local_id(0) + half_way < count)                            \
        JOIN_IN(shared[get_local_id(0)], shared[get_local_id(0) + half_way]); \
      count = half_way;                                                       \
    }                                                                         \
    barrier(CLK_LOCAL_MEM_FENCE);                                             \
    value = shared[0];                                                        \
  }
#endif

// A NaN wins over every number, so that it is seen in a maximum; among equals the first stays.
bool wins(REAL candidate, REAL best) {
  return candidate > best || (candidate != candidate && best == best);
}
