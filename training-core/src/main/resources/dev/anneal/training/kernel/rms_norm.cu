// output = weight * (x * rstd), rstd = 1 / sqrt(mean(x^2) + eps), over rows x [T, WIDTH];
// with ADD delta [T, WIDTH] becomes delta + x and is what is normed.
//
// Bytes a row of bf16: 4 WIDTH (x, output) + 4 with ADD (delta twice) + 1 with QUANTIZE (bytes).
// Grid: T blocks. QUANTIZE: 0 or 1.
#include "rows.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    rms_norm(const REAL* x, REAL* delta, const REAL* weight, REAL* output, float* rstd,
             unsigned char* bytes, float* scale, float eps) {
  constexpr int VECTORS = WIDTH / VEC;
  const long long row = (long long)blockIdx.x * WIDTH;
  Vector kept[STEPS_OF(VECTORS)];
  FOR_VECTORS(VECTORS) { kept[step] = Vector::once(x + row + i * VEC); }
#if ADD
  Vector deltas[STEPS_OF(VECTORS)];
  FOR_VECTORS(VECTORS) { deltas[step] = Vector::once(delta + row + i * VEC); }
  FOR_VECTORS(VECTORS) {
    float a[VEC], b[VEC];
    kept[step].unpack(a);
    deltas[step].unpack(b);
#pragma unroll
    for (int e = 0; e < VEC; e++) {
      a[e] += b[e];
    }
    kept[step] = Vector::of(a);
    kept[step].store(delta + row + i * VEC);
  }
#endif
  float squares = 0;
  FOR_VECTORS(VECTORS) {
    float v[VEC];
    kept[step].unpack(v);
#pragma unroll
    for (int e = 0; e < VEC; e++) {
      squares += v[e] * v[e];
    }
  }
  const float r = rsqrtf(acrossBlock<Sum>(squares) / WIDTH + eps);
  if (threadIdx.x == 0) {
    rstd[blockIdx.x] = r;
  }
#if QUANTIZE
  float largest = 0;
#endif
  FOR_VECTORS(VECTORS) {
    float v[VEC], w[VEC];
    kept[step].unpack(v);
    Vector::shared(weight + i * VEC).unpack(w);
#pragma unroll
    for (int e = 0; e < VEC; e++) {
      v[e] = w[e] * (v[e] * r);
    }
    kept[step] = Vector::of(v);
    kept[step].store(output + row + i * VEC);
#if QUANTIZE
    largest = fmaxf(largest, largestOf(kept[step], nullptr));
#endif
  }
#if QUANTIZE
  const float s = scaleOf(acrossBlock<Largest>(largest));
  const float inverse = 1.0f / s;
  if (threadIdx.x == 0) {
    scale[blockIdx.x] = s;
  }
  FOR_VECTORS(VECTORS) { storeFp8(kept[step], nullptr, inverse, bytes + row + i * VEC); }
#endif
}
