// One AdamW step over fp32 vectors of count elements, in the order of operations of
// torch.optim.AdamW; compute becomes the parameter in COMPUTE (bf16 or float).
//
// Bytes an element with bf16: 30 (parameter, m, v twice; gradient; compute). Grid: a thread for
// every VEC elements.
#define REAL float
#include "vectors.cuh"

DEVICE void store(const float (&v)[VEC], float* to) { Vector::of(v).store(to); }

DEVICE void store(const float (&v)[VEC], bf16* to) {
  if constexpr (VEC == 4) {
    *reinterpret_cast<uint2*>(to) = {bf16Pair(v[0], v[1]), bf16Pair(v[2], v[3])};
  } else {
#pragma unroll
    for (int e = 0; e < VEC; e++) {
      to[e].bits = (unsigned short)bf16Pair(v[e], 0);
    }
  }
}

extern "C" __global__ void adamw(float* parameter, COMPUTE* compute, float* m, float* v,
                                 const float* gradient, const float* gradientScale,
                                 long long count, float decay, float beta1Rest, float beta2,
                                 float beta2Rest, float rootCorrection2, float eps, float rate) {
  const long long at = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * VEC;
  if (at >= count) {
    return;
  }
  float p[VEC], first[VEC], second[VEC], g[VEC];
  Vector::once(parameter + at).unpack(p);
  Vector::once(m + at).unpack(first);
  Vector::once(v + at).unpack(second);
  Vector::once(gradient + at).unpack(g);
  const float scale = *gradientScale;
#pragma unroll
  for (int e = 0; e < VEC; e++) {
    const float scaled = g[e] * scale;
    p[e] *= decay;
    // libtorch's lerp
    first[e] = beta1Rest < 0.5f ? first[e] + beta1Rest * (scaled - first[e])
                                : scaled - (scaled - first[e]) * (1.0f - beta1Rest);
    second[e] = second[e] * beta2 + beta2Rest * (scaled * scaled);
    const float denominator = sqrtf(second[e]) / rootCorrection2 + eps;
    p[e] += rate * (first[e] / denominator);
  }
  store(p, parameter + at);
  store(first, m + at);
  store(second, v + at);
  store(p, compute + at);
}
