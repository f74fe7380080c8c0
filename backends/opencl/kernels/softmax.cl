// Softmax over rows, and the cross-entropy loss on top of it. For one row x of `cols` scores:
//
//     p_c  = e^(x_c - m) / sum over j of e^(x_j - m)        m = max x: no power is above 1
//     loss = log(sum over j of e^(x_j - m)) - (x_label - m)
//
// On a processor a row belongs to one item: rows are short (1000 classes) and few (a batch), and
// this is a thousandth of a network's time. On a GPU a group has a row, and its items take turns
// along it. Items, processor: (row); GPU: (GROUP for a row).
#ifdef PROCESSOR
#define FIRST 0
#define STEP 1
#define OF_GROUP(value, JOIN_IN)
#define ROW_BEGIN                    \
  const long row = get_global_id(0); \
  if (row >= rows) return;
#define SHARED
#define SHARED_PARAMETER
#define SHARED_ARGUMENT
#else
#define FIRST get_local_id(0)
#define STEP GROUP
#define OF_GROUP(value, JOIN_IN) JOIN_OF_GROUP(value, shared, JOIN_IN)
#define ROW_BEGIN           \
  local REAL shared[GROUP]; \
  const long row = get_group_id(0);
#define SHARED_PARAMETER , local REAL* shared
#define SHARED_ARGUMENT , shared
#endif
#define LANES_OF_ROW 8
#define ADD(total, value) total += (value)
#define TAKE_MAX(total, value) total = wins(value, total) ? (value) : total

REAL row_max(global const REAL* x, long cols SHARED_PARAMETER) {
  REAL m = x[0];
  for (long c = FIRST; c < cols; c += STEP) m = wins(x[c], m) ? x[c] : m;
  OF_GROUP(m, TAKE_MAX)
  return m;
}

// LANES_OF_ROW partial sums of a piece of a row keep rounding small, and the pieces' sums are
// compensated.
#define ROW_PIECE (1024 * STEP)
#define SUM_OF_ROW(sum, c, cols, TERM)                                        \
  REAL sum = 0, lost = 0;                                                     \
  for (long begin = 0; begin < cols; begin += ROW_PIECE) {                    \
    REAL lane[LANES_OF_ROW];                                                  \
    for (int l = 0; l < LANES_OF_ROW; ++l) lane[l] = 0;                       \
    for (long c = begin + FIRST; c < min(cols, begin + ROW_PIECE); c += STEP) \
      lane[c / STEP % LANES_OF_ROW] += TERM;                                  \
    for (int step = LANES_OF_ROW / 2; step > 0; step /= 2)                    \
      for (int l = 0; l < step; ++l) lane[l] += lane[l + step];               \
    ADD_COMPENSATED(REAL, sum, lane[0], lost)                                 \
  }                                                                           \
  OF_GROUP(sum, ADD)

// y = e^(x - m), and their sum.
REAL powers(global const REAL* x, global REAL* y, long cols, REAL m SHARED_PARAMETER) {
  SUM_OF_ROW(sum, c, cols, y[c] = exp(x[c] - m))
  return sum;
}

kernel void softmax_forward(global const REAL* x, global REAL* y, long rows, long cols) {
  ROW_BEGIN
  x += row * cols;
  y += row * cols;
  const REAL m = row_max(x, cols SHARED_ARGUMENT);
  const REAL sum = powers(x, y, cols, m SHARED_ARGUMENT);
  for (long c = FIRST; c < cols; c += STEP) y[c] /= sum;
}

// dx = y (dy - sum over the row of dy y)
kernel void softmax_backward(global const REAL* y, global const REAL* dy, global REAL* dx,
                             long rows, long cols) {
  ROW_BEGIN
  y += row * cols;
  dy += row * cols;
  dx += row * cols;
  SUM_OF_ROW(dot, c, cols, y[c] * dy[c])
  for (long c = FIRST; c < cols; c += STEP) dx[c] = y[c] * (dy[c] - dot);
}

kernel void cross_entropy_forward(global const REAL* x, global const long* labels,
                                  global REAL* probability, global REAL* loss, long rows,
                                  long cols) {
  ROW_BEGIN
  x += row * cols;
  probability += row * cols;
  const REAL m = row_max(x, cols SHARED_ARGUMENT);
  const REAL sum = powers(x, probability, cols, m SHARED_ARGUMENT);
  for (long c = FIRST; c < cols; c += STEP) probability[c] /= sum;
  if (FIRST == 0) loss[row] = log(sum) - (x[labels[row]] - m);
}

// dx[r, c] = dloss[r] (probability[r, c] - [c = label[r]])
kernel void cross_entropy_backward(global const REAL* probability, global const long* labels,
                                   global const REAL* dloss, global REAL* dx, long rows,
                                   long cols) {
  ROW_BEGIN
  probability += row * cols;
  dx += row * cols;
  const long label = labels[row];
  for (long c = FIRST; c < cols; c += STEP)
    dx[c] = dloss[row] * (probability[c] - (c == label ? 1 : 0));
}
