// One step of stochastic gradient descent with momentum m, weight decay d and learning rate lr:
//
//     the paper's (Krizhevsky et al. 2012, section 5)      PyTorch's
//         v <- m v - d lr w - lr g                             v <- m v + (g + d w)
//         w <- w + v                                           w <- w - lr v
//
// Memory is all that it costs: three arrays in, two out.
kernel void sgd_paper(global REAL* w, global const REAL* g, global REAL* v, long n, REAL lr, REAL m,
                      REAL d) {
  FOR_MY_ELEMENTS(i, n) {
    const REAL step = m * v[i] - d * lr * w[i] - lr * g[i];
    v[i] = step;
    w[i] += step;
  }
}

kernel void sgd_pytorch(global REAL* w, global const REAL* g, global REAL* v, long n, REAL lr,
                        REAL m, REAL d) {
  FOR_MY_ELEMENTS(i, n) {
    const REAL velocity = m * v[i] + (g[i] + d * w[i]);
    v[i] = velocity;
    w[i] -= lr * velocity;
  }
}
