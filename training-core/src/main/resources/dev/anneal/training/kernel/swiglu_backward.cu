// gateUp [T, 2 WIDTH] becomes the gradient of swiglu's input, dOutput [T, WIDTH] its output. With
// COLUMN_SCALE bytes [T, 2 WIDTH] is the FP8 form of the gradient times columnScale [2 WIDTH].
//
// Bytes a row of bf16: 12 WIDTH (gate, up, dOutput, each twice) + 2 with COLUMN_SCALE (bytes). Grid:
// T blocks. COLUMN_SCALE: 0 or 1. KEEP: 1 where a thread's part of the row fits into its registers;
// 0 has the gradient read again, from L2, for its FP8 form.
#include "rows.cuh"
#include "silu.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    swiglu_backward(REAL* dOutput, REAL* gateUp, const float* columnScale, unsigned char* bytes,
                    float* scale) {
  constexpr int VECTORS = WIDTH / VEC;
  constexpr int KEPT = KEEP ? STEPS_OF(VECTORS) : 1;
#define AT (KEEP ? step : 0)
  const long long row = (long long)blockIdx.x * WIDTH;
  Vector dOutputs[KEPT], gates[KEPT], ups[KEPT];
#if KEEP
  FOR_VECTORS(VECTORS) {
    gates[step] = Vector::once(gateUp + 2 * row + i * VEC);
    ups[step] = Vector::once(gateUp + 2 * row + WIDTH + i * VEC);
    dOutputs[step] = Vector::once(dOutput + row + i * VEC);
  }
#endif
#if COLUMN_SCALE
  float largest = 0;
#endif
  FOR_VECTORS(VECTORS) {
#if !KEEP
    gates[0] = Vector::once(gateUp + 2 * row + i * VEC);
    ups[0] = Vector::once(gateUp + 2 * row + WIDTH + i * VEC);
    dOutputs[0] = Vector::once(dOutput + row + i * VEC);
#endif
    float dy[VEC], gate[VEC], up[VEC];
    dOutputs[AT].unpack(dy);
    gates[AT].unpack(gate);
    ups[AT].unpack(up);
#pragma unroll
    for (int e = 0; e < VEC; e++) {
      swigluBackward(dy[e], gate[e], up[e]);
    }
    Vector::of(dy).store(dOutput + row + i * VEC);
    gates[AT] = Vector::of(gate);
    ups[AT] = Vector::of(up);
    gates[AT].store(gateUp + 2 * row + i * VEC);
    ups[AT].store(gateUp + 2 * row + WIDTH + i * VEC);
#if COLUMN_SCALE
    largest = fmaxf(largest, largestOf(gates[AT], columnScale + i * VEC));
    largest = fmaxf(largest, largestOf(ups[AT], columnScale + WIDTH + i * VEC));
#endif
  }
#if COLUMN_SCALE
  const float s = scaleOf(acrossBlock<Largest>(largest));
  const float inverse = 1.0f / s;
  if (threadIdx.x == 0) {
    scale[blockIdx.x] = s;
  }
  FOR_VECTORS(VECTORS) {
#if !KEEP
    // what this thread wrote
    gates[0] = Vector::once(gateUp + 2 * row + i * VEC);
    ups[0] = Vector::once(gateUp + 2 * row + WIDTH + i * VEC);
#endif
    unsigned char* to = bytes + 2 * row + i * VEC;
    storeFp8(gates[AT], columnScale + i * VEC, inverse, to);
    storeFp8(ups[AT], columnScale + WIDTH + i * VEC, inverse, to + WIDTH);
  }
#endif
}
