// dOutput becomes dResidual + rstd * (dNormed - normed * mean(dNormed * normed)), where
// dNormed = weight * dOutput and normed = x * rstd, over rows [T, WIDTH]. With COLUMN_SCALE bytes
// [T, WIDTH] is the FP8 form of the result times columnScale [WIDTH].
//
// Bytes a row of bf16: 8 WIDTH (dOutput twice, x, dResidual) + 1 with COLUMN_SCALE (bytes). Grid: T
// blocks.
#include "rows.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    rms_norm_backward(REAL* dOutput, const REAL* x, const float* rstd, const REAL* weight,
                      const REAL* dResidual, const float* columnScale, unsigned char* bytes,
                      float* scale) {
  constexpr int VECTORS = WIDTH / VEC;
  const long long row = (long long)blockIdx.x * WIDTH;
  Vector dOutputs[STEPS_OF(VECTORS)], xs[STEPS_OF(VECTORS)], residuals[STEPS_OF(VECTORS)];
  FOR_VECTORS(VECTORS) {
    dOutputs[step] = Vector::once(dOutput + row + i * VEC);
    xs[step] = Vector::once(x + row + i * VEC);
    residuals[step] = Vector::once(dResidual + row + i * VEC);
  }
  const float r = rstd[blockIdx.x];
  float sum = 0;
  FOR_VECTORS(VECTORS) {
    float dy[VEC], v[VEC], w[VEC];
    dOutputs[step].unpack(dy);
    xs[step].unpack(v);
    Vector::shared(weight + i * VEC).unpack(w);
#pragma unroll
    for (int e = 0; e < VEC; e++) {
      sum += (dy[e] * w[e]) * (v[e] * r);
    }
  }
  const float along = acrossBlock<Sum>(sum) / WIDTH;
#if COLUMN_SCALE
  float largest = 0;
#endif
  FOR_VECTORS(VECTORS) {
    float dy[VEC], v[VEC], w[VEC], residual[VEC];
    dOutputs[step].unpack(dy);
    xs[step].unpack(v);
    residuals[step].unpack(residual);
    Vector::shared(weight + i * VEC).unpack(w);
#pragma unroll
    for (int e = 0; e < VEC; e++) {
      dy[e] = (dy[e] * w[e] - (v[e] * r) * along) * r + residual[e];
    }
    residuals[step] = Vector::of(dy);
    residuals[step].store(dOutput + row + i * VEC);
#if COLUMN_SCALE
    largest = fmaxf(largest, largestOf(residuals[step], columnScale + i * VEC));
#endif
  }
#if COLUMN_SCALE
  const float s = scaleOf(acrossBlock<Largest>(largest));
  const float inverse = 1.0f / s;
  if (threadIdx.x == 0) {
    scale[blockIdx.x] = s;
  }
  FOR_VECTORS(VECTORS) {
    storeFp8(residuals[step], columnScale + i * VEC, inverse, bytes + row + i * VEC);
  }
#endif
}
