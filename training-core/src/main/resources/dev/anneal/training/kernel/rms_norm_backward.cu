// dOutput becomes dResidual + rstd * (dNormed - normed * mean(dNormed * normed)), where
// dNormed = weight * dOutput and normed = x * rstd, over rows [T, WIDTH].
//
// Bytes a row of bf16: 8 WIDTH (dOutput twice, x, dResidual). Grid: T blocks.
#include "rows.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    rms_norm_backward(REAL* dOutput, const REAL* x, const float* rstd, const REAL* weight,
                      const REAL* dResidual) {
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
    Vector::of(dy).store(dOutput + row + i * VEC);
  }
}
