// Functions of one and of two numbers, element by element, and their gradients: a line each. In all
// of them y may be x and dx may be dy: only one item reads an element, before it writes.

// ---- y = f(x) -----------------------------------------------------------------------------------
#define UNARY(NAME, FORMULA)                                           \
  kernel void NAME(global const REAL* from, global REAL* to, long n) { \
    FOR_MY_ELEMENTS(i, n) {                                            \
      const REAL x = from[i];                                          \
      to[i] = FORMULA;                                                 \
    }                                                                  \
  }
UNARY(neg, -x)
UNARY(exp_, exp(x))
UNARY(log_, log(x))
UNARY(sqrt_, sqrt(x))
UNARY(square, x* x)
UNARY(abs_, fabs(x))
UNARY(relu, x < 0 ? (REAL)0 : x)  // and not x > 0 ? x : 0, which would hide a NaN
UNARY(sigmoid, 1 / (1 + exp(-x)))
UNARY(tanh_, tanh(x))

// ---- dx = dy f'(x), where simplest written with y = f(x) ----------------------------------------
// z is x or y. Where f is flat, relu and abs block dy altogether: 0 * inf would be NaN. Where x is
// NaN, dx is NaN.
#define FLAT (x == x ? (REAL)0 : x)
#define UNARY_BACKWARD(NAME, FORMULA)                                                        \
  kernel void NAME(global const REAL* z, global const REAL* from, global REAL* to, long n) { \
    FOR_MY_ELEMENTS(i, n) {                                                                  \
      const REAL x = z[i], y = x, dy = from[i];                                              \
      to[i] = FORMULA;                                                                       \
    }                                                                                        \
  }
UNARY_BACKWARD(neg_backward, -dy)
UNARY_BACKWARD(exp_backward, dy* y)
UNARY_BACKWARD(log_backward, dy / x)
UNARY_BACKWARD(sqrt_backward, dy / (2 * y))
UNARY_BACKWARD(square_backward, dy * 2 * x)
UNARY_BACKWARD(abs_backward, x > 0 ? dy : x < 0 ? -dy : FLAT)
UNARY_BACKWARD(relu_backward, y > 0 ? dy : FLAT)
UNARY_BACKWARD(sigmoid_backward, dy* y*(1 - y))
UNARY_BACKWARD(tanh_backward, dy*(1 - y) * (1 + y))

// ---- y = a op b with broadcasting ---------------------------------------------------------------
typedef struct {  // the same as Broadcast in elementwise.cpp
  long rank, size[8], stride_a[8], stride_b[8];
} Broadcast;

// Items: (run of the last axis, the other axes together).
#define BROADCAST_BEGIN                                    \
  const long last = s.rank - 1, inner = s.size[last];      \
  long rest = get_global_id(1), ia = 0, ib = 0;            \
  for (long axis = last - 1; axis >= 0; --axis) {          \
    ia += rest % s.size[axis] * s.stride_a[axis];          \
    ib += rest % s.size[axis] * s.stride_b[axis];          \
    rest /= s.size[axis];                                  \
  }                                                        \
  left += ia;                                              \
  right += ib;                                             \
  const long sa = s.stride_a[last], sb = s.stride_b[last]; \
  const long out = (long)get_global_id(1) * inner;

#define BINARY(NAME, FORMULA)                                                      \
  kernel void NAME(global const REAL* left, global const REAL* right, Broadcast s, \
                   global REAL* to) {                                              \
    BROADCAST_BEGIN                                                                \
    FOR_MY_ELEMENTS(i, inner) {                                                    \
      const REAL a = left[i * sa], b = right[i * sb];                              \
      to[out + i] = FORMULA;                                                       \
    }                                                                              \
  }
BINARY(add, a + b)
BINARY(sub, a - b)
BINARY(mul, a* b)
BINARY(div, a / b)
// Ties go to a, and a NaN wins wherever it is.
#define MAX_TAKES_B (!(a >= b) && a == a)
#define MIN_TAKES_B (!(a <= b) && a == a)
BINARY(max_, MAX_TAKES_B ? b : a)
BINARY(min_, MIN_TAKES_B ? b : a)

// dx = dy where the op chose this operand.
#define SELECT_BACKWARD(NAME, TAKES_B)                                                         \
  kernel void NAME(global const REAL* left, global const REAL* right, Broadcast s, int second, \
                   global const REAL* dy, global REAL* dx) {                                   \
    BROADCAST_BEGIN                                                                            \
    FOR_MY_ELEMENTS(i, inner) {                                                                \
      const REAL a = left[i * sa], b = right[i * sb];                                          \
      dx[out + i] = (TAKES_B ? 1 : 0) == second ? dy[out + i] : (REAL)0;                       \
    }                                                                                          \
  }
SELECT_BACKWARD(max_select_backward, MAX_TAKES_B)
SELECT_BACKWARD(min_select_backward, MIN_TAKES_B)

// ---- scale and shift, add into ------------------------------------------------------------------
kernel void affine(global const REAL* x, global REAL* y, long n, REAL scale, REAL shift) {
  FOR_MY_ELEMENTS(i, n) y[i] = scale * x[i] + shift;
}
kernel void accumulate(global const REAL* x, global REAL* y, long n) {
  FOR_MY_ELEMENTS(i, n) y[i] += x[i];
}
