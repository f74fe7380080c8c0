// Softmax over rows, and the cross-entropy loss on top of it. For one row x of `cols` scores:
//
//     p_c  = e^(x_c - m) / sum over j of e^(x_j - m)        m = max x: no power is above 1
//     loss = log(sum over j of e^(x_j - m)) - (x_label - m)
//
// A row belongs to one item. Rows are short (1000 classes) and few (a batch), and this is a
// thousandth of a network's time: plain loops.
#define LANES 8

REAL row_max(global const REAL* x, long cols) {
  REAL m = x[0];
  for (long c = 1; c < cols; ++c) m = wins(x[c], m) ? x[c] : m;
  return m;
}

// LANES partial sums of a piece of a row keep rounding small, and the pieces' sums are compensated.
#define ROW_PIECE 1024
#define SUM_OF_ROW(sum, c, cols, TERM)                                                   \
  REAL sum = 0, lost = 0;                                                                \
  for (long begin = 0; begin < cols; begin += ROW_PIECE) {                               \
    REAL lane[LANES];                                                                    \
    for (int l = 0; l < LANES; ++l) lane[l] = 0;                                         \
    for (long c = begin; c < min(cols, begin + ROW_PIECE); ++c) lane[c % LANES] += TERM; \
    for (int step = LANES / 2; step > 0; step /= 2)                                      \
      for (int l = 0; l < step; ++l) lane[l] += lane[l + step];                          \
    ADD_COMPENSATED(REAL, sum, lane[0], lost)                                            \
  }

// y = e^(x - m), and their sum.
REAL powers(global const REAL* x, global REAL* y, long cols, REAL m) {
  SUM_OF_ROW(sum, c, cols, y[c] = exp(x[c] - m))
  return sum;
}

kernel void softmax_forward(global const REAL* x, global REAL* y, long rows, long cols) {
  const long row = get_global_id(0);
  if (row >= rows) return;
  x += row * cols;
  y += row * cols;
  const REAL sum = powers(x, y, cols, row_max(x, cols));
  for (long c = 0; c < cols; ++c) y[c] /= sum;
}

// dx = y (dy - sum over the row of dy y)
kernel void softmax_backward(global const REAL* y, global const REAL* dy, global REAL* dx,
                             long rows, long cols) {
  const long row = get_global_id(0);
  if (row >= rows) return;
  y += row * cols;
  dy += row * cols;
  dx += row * cols;
  SUM_OF_ROW(dot, c, cols, y[c] * dy[c])
  for (long c = 0; c < cols; ++c) dx[c] = y[c] * (dy[c] - dot);
}

kernel void cross_entropy_forward(global const REAL* x, global const long* labels,
                                  global REAL* probability, global REAL* loss, long rows,
                                  long cols) {
  const long row = get_global_id(0);
  if (row >= rows) return;
  x += row * cols;
  probability += row * cols;
  const REAL m = row_max(x, cols), sum = powers(x, probability, cols, m);
  for (long c = 0; c < cols; ++c) probability[c] /= sum;
  loss[row] = log(sum) - (x[labels[row]] - m);
}

// dx[r, c] = dloss[r] (probability[r, c] - [c = label[r]]). Items: (row).
kernel void cross_entropy_backward(global const REAL* probability, global const long* labels,
                                   global const REAL* dloss, global REAL* dx, long rows,
                                   long cols) {
  const long row = get_global_id(0);
  if (row >= rows) return;
  probability += row * cols;
  dx += row * cols;
  const long label = labels[row];
  for (long c = 0; c < cols; ++c) dx[c] = dloss[row] * (probability[c] - (c == label ? 1 : 0));
}
