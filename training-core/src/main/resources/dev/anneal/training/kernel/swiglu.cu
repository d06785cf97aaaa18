// output [T, WIDTH] = silu(gate) * up of gateUp [T, 2 WIDTH]: gate, then up.
//
// Bytes a row of bf16: 6 WIDTH (gate, up, output) + 1 with QUANTIZE (bytes). Grid: T blocks.
// QUANTIZE: 0 or 1.
#include "rows.cuh"
#include "silu.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    swiglu(const REAL* gateUp, REAL* output, unsigned char* bytes, float* scale) {
  constexpr int VECTORS = WIDTH / VEC;
  const long long row = (long long)blockIdx.x * WIDTH;
  Vector gates[STEPS_OF(VECTORS)], ups[STEPS_OF(VECTORS)];
  FOR_VECTORS(VECTORS) {
    gates[step] = Vector::once(gateUp + 2 * row + i * VEC);
    ups[step] = Vector::once(gateUp + 2 * row + WIDTH + i * VEC);
  }
#if QUANTIZE
  float largest = 0;
#endif
  FOR_VECTORS(VECTORS) {
    float gate[VEC], up[VEC];
    gates[step].unpack(gate);
    ups[step].unpack(up);
#pragma unroll
    for (int e = 0; e < VEC; e++) {
      gate[e] = silu(gate[e]) * up[e];
    }
    gates[step] = Vector::of(gate);
    gates[step].store(output + row + i * VEC);
#if QUANTIZE
    largest = fmaxf(largest, largestOf(gates[step], nullptr));
#endif
  }
#if QUANTIZE
  const float s = scaleOf(acrossBlock<Largest>(largest));
  const float inverse = 1.0f / s;
  if (threadIdx.x == 0) {
    scale[blockIdx.x] = s;
  }
  FOR_VECTORS(VECTORS) { storeFp8(gates[step], nullptr, inverse, bytes + row + i * VEC); }
#endif
}
