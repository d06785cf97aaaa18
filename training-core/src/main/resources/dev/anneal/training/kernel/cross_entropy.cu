// loss [N] = log(sum(exp(x))) - x[target] of rows x [N, width]; x becomes softmax(x) - one_hot(target).
//
// Bytes a row of bf16: 6 width (x read twice, written once). Grid: N blocks of THREADS threads. The
// first pass keeps a running maximum and the sum of exponentials relative to it; the second goes
// backwards, so that it begins with what L2 still holds. WIDTH is not used.
#include "rows.cuh"

#define LOG2E 1.4426950408889634f
#define LN2 0.6931471805599453f

DEVICE float exp2Of(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    cross_entropy(REAL* logits, const long long* targets, float* loss, int width) {
  constexpr int AHEAD = 4;
  constexpr int STRIDE = AHEAD * THREADS;
  const int vectors = width / VEC;
  REAL* x = logits + (long long)blockIdx.x * width;
  const long long target = targets[blockIdx.x];
  // before any thread writes: the passes are apart by the barriers of the reductions
  float targetLogit[1];
  Pack<REAL, 1>::once(x + target).unpack(targetLogit);

  // in units of log 2; finite, so that logits of minus infinity add nothing
  float largest = -1e30f;
  float sum = 0;
  for (int base = threadIdx.x; base < vectors; base += STRIDE) {
    Vector ahead[AHEAD];
#pragma unroll
    for (int k = 0; k < AHEAD; k++) {
      if (base + k * THREADS < vectors) {
        ahead[k] = Vector::once(x + (base + k * THREADS) * VEC);
      }
    }
#pragma unroll
    for (int k = 0; k < AHEAD; k++) {
      if (base + k * THREADS < vectors) {
        float v[VEC];
        ahead[k].unpack(v);
        float top = v[0];
#pragma unroll
        for (int e = 1; e < VEC; e++) {
          top = fmaxf(top, v[e]);
        }
        top *= LOG2E;
        if (top > largest) {
          sum *= exp2Of(largest - top);
          largest = top;
        }
#pragma unroll
        for (int e = 0; e < VEC; e++) {
          sum += exp2Of(v[e] * LOG2E - largest);
        }
      }
    }
  }

  const float top = acrossBlock<Largest>(largest);
  sum = acrossBlock<Sum>(sum * exp2Of(largest - top));
  const float logSum = top + log2f(sum);
  if (threadIdx.x == 0) {
    loss[blockIdx.x] = logSum * LN2 - targetLogit[0];
  }

  const int blocks = (vectors + STRIDE - 1) / STRIDE;
  for (int base = (blocks - 1) * STRIDE + threadIdx.x; base >= 0; base -= STRIDE) {
    Vector ahead[AHEAD];
#pragma unroll
    for (int k = 0; k < AHEAD; k++) {
      if (base + k * THREADS < vectors) {
        ahead[k] = Vector::once(x + (base + k * THREADS) * VEC);
      }
    }
#pragma unroll
    for (int k = 0; k < AHEAD; k++) {
      const int i = base + k * THREADS;
      if (i < vectors) {
        float v[VEC];
        ahead[k].unpack(v);
#pragma unroll
        for (int e = 0; e < VEC; e++) {
          v[e] = exp2Of(v[e] * LOG2E - logSum) - (i * VEC + e == target ? 1.0f : 0.0f);
        }
        Vector::of(v).store(x + i * VEC);
      }
    }
  }
}
