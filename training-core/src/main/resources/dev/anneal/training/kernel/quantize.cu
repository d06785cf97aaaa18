// The FP8 form of rows x [R, WIDTH], with COLUMN_SCALE of x * columnScale [WIDTH].
//
// Bytes a row of bf16: 3 WIDTH (x, bytes). Grid: R blocks. COLUMN_SCALE: 0 or 1.
#include "rows.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    quantize(const REAL* x, const float* columnScale, unsigned char* bytes, float* scale) {
  constexpr int VECTORS = WIDTH / VEC;
  const long long row = (long long)blockIdx.x * WIDTH;
  Vector kept[STEPS_OF(VECTORS)];
  FOR_VECTORS(VECTORS) { kept[step] = Vector::once(x + row + i * VEC); }
  float largest = 0;
  FOR_VECTORS(VECTORS) {
    largest = fmaxf(largest, largestOf(kept[step], columnScale + i * VEC));
  }
  const float s = scaleOf(acrossBlock<Largest>(largest));
  const float inverse = 1.0f / s;
  if (threadIdx.x == 0) {
    scale[blockIdx.x] = s;
  }
  FOR_VECTORS(VECTORS) {
    storeFp8(kept[step], columnScale + i * VEC, inverse, bytes + row + i * VEC);
  }
}
