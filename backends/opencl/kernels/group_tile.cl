// The tile of a matrix product on a GPU: a group of items computes a block of C together.
//
// A GPU has enough registers for many items, and memory that is far too slow to feed each of them
// alone. So the GROUP_A x GROUP_B items of a work-group lay their tiles side by side, which makes a
// block of PANEL_A = MR GROUP_A rows and PANEL_B = 2 VEC GROUP_B columns, and fetch what they all
// need together, a slice of SLICE steps at a time, into local memory:
//
//                          B: SLICE x PANEL_B      A number of A is read once from memory, and
//                          [ ---------------- ]    serves 2 VEC GROUP_B columns of the block; one
//     A: PANEL_A x SLICE   C: PANEL_A x PANEL_B    of B serves MR GROUP_A rows. A block of 128 x 64
//        [ | ]             [ item  item  item ]    does 42 multiply-adds for each number that it
//        [ | ]             [ item  item  item ]    reads.
//
// While a slice is multiplied, the next one is on its way: it comes from memory into registers
// first (`fetch`), and goes into the other half of local memory when the multiplying is done
// (`keep`). So nobody waits for memory, and there is one barrier a slice.
//
// Nothing is packed: neighbouring items read neighbouring addresses, whichever way the operand
// lies. Items take its elements along the steps where those are neighbours in memory (`along`), and
// across the lines otherwise. A line is a row of A or a column of B.
#define ITEMS (GROUP_A * GROUP_B)
#define HELD_A ((SLICE * PANEL_A / VEC + ITEMS - 1) / ITEMS)  // vectors of a slice for an item
#define HELD_B ((SLICE * PANEL_B / VEC + ITEMS - 1) / ITEMS)
// In local memory the lines of one step are neighbours, and VEC places keep two steps apart: local
// memory has 32 banks, and items that fetch along the steps would all write to one of them.
#define SLICE_A (PANEL_A + VEC)
#define SLICE_B (PANEL_B + VEC)

// A compiler that knows how many items a group has gives each only so many registers that all of
// them fit. Otherwise a driver may build the kernel, and then refuse to run it.
#define OF_ONE_GROUP __attribute__((reqd_work_group_size(ITEMS, 1, 1)))
#define SLICES local REALV slices_a[2 * SLICE * SLICE_A / VEC], slices_b[2 * SLICE * SLICE_B / VEC];

// This item's rows and columns in the block. Vectors of neighbouring items are neighbours: then
// they read local memory side by side.
#define ROW(i) (((int)get_local_id(0) / GROUP_B + (i) / VEC * GROUP_A) * VEC + (i) % VEC)
#define COLUMN(v) (((int)get_local_id(0) % GROUP_B + (v)*GROUP_B) * VEC)

// An operand as a group sees it: element (line, step) stands at
//     at + line * line_step + step * step_step, or + line_table[line], or + step_table[step].
// Lines from `lines` on do not exist, and count as zero. `along` is known when a kernel is
// compiled.
typedef struct {
  bool along;
  global const REAL* at;
  long line_step, step_step;
  int lines;
  global const int *line_table, *step_table;
} Factor;

// An item fetches vectors. Its i-th goes along the steps, or across the lines, from this line and
// step of a slice on:
#define VECTOR(i) ((int)get_local_id(0) + (i)*ITEMS)
#define LINE(f, i, panel) \
  ((f)->along ? VECTOR(i) / (SLICE / VEC) : VECTOR(i) % ((panel) / VEC) * VEC)
#define STEP(f, i, panel) \
  ((f)->along ? VECTOR(i) % (SLICE / VEC) * VEC : VECTOR(i) / ((panel) / VEC))

// Whether vectors can be read at once: they begin at multiples of their size, in memory and in the
// matrix, and a slice deals the same number of them to each item.
bool in_vectors(const Factor* f, const int panel) {
  return !f->line_table && !f->step_table && SLICE * panel % (VEC * ITEMS) == 0 &&
         (f->along ? f->line_step : f->step_step) % VEC == 0 && (f->along || f->lines % VEC == 0) &&
         (ulong)f->at % sizeof(REALV) == 0;
}

// Where this item's i-th vector of the first slice lies. Lines that do not exist are replaced by
// the last that do: what is computed from them is not stored.
global const REAL* place_of_vector(const Factor* f, int i, const int panel) {
  const int line = min(LINE(f, i, panel), f->along ? f->lines - 1 : f->lines - VEC);
  return f->at + line * f->line_step + STEP(f, i, panel) * f->step_step;
}

// From memory to registers, for one of the operands; `from` moves on to the next slice.
#define FETCH(count, from, next, held)                \
  _Pragma("unroll") for (int i = 0; i < count; ++i) { \
    held[i] = *(global const REALV*)from[i];          \
    from[i] += next;                                  \
  }

// ... and on to local memory.
void keep_vector(const Factor* f, int i, const int panel, REALV v, local REAL* slice) {
  local REAL* to = slice + STEP(f, i, panel) * (panel + VEC) + LINE(f, i, panel);
  if (f->along) {
    REAL lane[VEC];
    STOREV(v, lane);
#pragma unroll
    for (int l = 0; l < VEC; ++l) to[l * (panel + VEC)] = lane[l];
  } else {
    *(local REALV*)to = v;
  }
}
#define KEEP(f, panel, count, held, slice) \
  _Pragma("unroll") for (int i = 0; i < count; ++i) keep_vector(f, i, panel, held[i], slice);

// The same for operands that lie otherwise, and for the last steps: number by number, from memory
// to local memory. Steps p ... `steps` - 1 exist.
void fetch_and_keep(const Factor* f, const int panel, int p, int steps, local REAL* slice) {
#pragma unroll 1
  for (int t = get_local_id(0); t < SLICE * panel; t += ITEMS) {
    const int line = f->along ? t / SLICE : t % panel, step = f->along ? t % SLICE : t / panel;
    REAL value = 0;
    if (line < f->lines && p + step < steps)
      value = f->at[(f->line_table ? f->line_table[line] : line * f->line_step) +
                    (f->step_table ? f->step_table[p + step] : (p + step) * f->step_step)];
    slice[step * (panel + VEC) + line] = value;
  }
}

// SLICE steps of an item's tile, from local memory.
void multiply_slice(REALV acc[MR][2], local const REAL* a, local const REAL* b) {
#pragma unroll
  for (int p = 0; p < SLICE; ++p) {
    const REALV b0 = *(local const REALV*)(b + p * SLICE_B + COLUMN(0));
    const REALV b1 = *(local const REALV*)(b + p * SLICE_B + COLUMN(1));
#pragma unroll
    for (int r = 0; r < MR; r += VEC) {
      REAL ai[VEC];
      STOREV(*(local const REALV*)(a + p * SLICE_A + ROW(r)), ai);
#pragma unroll
      for (int i = 0; i < VEC; ++i) {
        acc[r + i][0] += (REALV)ai[i] * b0;
        acc[r + i][1] += (REALV)ai[i] * b1;
      }
    }
  }
}

// acc += A B over `steps` steps.
void add_products(const Factor a, const Factor b, int steps, REALV acc[MR][2],
                  local REALV* slices_a, local REALV* slices_b) {
  local REAL *to_a = (local REAL*)slices_a, *to_b = (local REAL*)slices_b;
  const int slices = in_vectors(&a, PANEL_A) && in_vectors(&b, PANEL_B) ? steps / SLICE : 0;
  if (slices > 0) {
    global const REAL *from_a[HELD_A], *from_b[HELD_B];
    REALV held_a[HELD_A], held_b[HELD_B];
    const long next_a = SLICE * a.step_step, next_b = SLICE * b.step_step;
#pragma unroll
    for (int i = 0; i < HELD_A; ++i) from_a[i] = place_of_vector(&a, i, PANEL_A);
#pragma unroll
    for (int i = 0; i < HELD_B; ++i) from_b[i] = place_of_vector(&b, i, PANEL_B);
    FETCH(HELD_A, from_a, next_a, held_a)
    FETCH(HELD_B, from_b, next_b, held_b)
    KEEP(&a, PANEL_A, HELD_A, held_a, to_a)
    KEEP(&b, PANEL_B, HELD_B, held_b, to_b)
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll 1
    for (int s = 1; s <= slices; ++s) {
      const int now = (s - 1) % 2, other = s % 2;
      if (s < slices) {
        FETCH(HELD_A, from_a, next_a, held_a)
        FETCH(HELD_B, from_b, next_b, held_b)
      }
      multiply_slice(acc, to_a + now * SLICE * SLICE_A, to_b + now * SLICE * SLICE_B);
      if (s < slices) {
        KEEP(&a, PANEL_A, HELD_A, held_a, to_a + other * SLICE * SLICE_A)
        KEEP(&b, PANEL_B, HELD_B, held_b, to_b + other * SLICE * SLICE_B)
      }
      barrier(CLK_LOCAL_MEM_FENCE);
    }
  }
#pragma unroll 1
  for (int p = slices * SLICE; p < steps; p += SLICE) {
    fetch_and_keep(&a, PANEL_A, p, steps, to_a);
    fetch_and_keep(&b, PANEL_B, p, steps, to_b);
    barrier(CLK_LOCAL_MEM_FENCE);
    multiply_slice(acc, to_a, to_b);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
}
