// output [T, WIDTH] = the q, k and v heads' gradients joined, q's and k's rotated back: the halves
// a, b of a head become a cos + b sin, b cos - a sin. dQ [T, HEADS, HEAD_DIM], dK and dV
// [T, KV_HEADS, HEAD_DIM]; WIDTH = (HEADS + 2 KV_HEADS) HEAD_DIM. With COLUMN_SCALE bytes
// [T, WIDTH] is the FP8 form of output * columnScale [WIDTH].
//
// Bytes a row of bf16: 4 WIDTH (gradients, output) + 1 with COLUMN_SCALE (bytes). Grid: T blocks.
#include "rows.cuh"

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
    rope_backward(const REAL* dQ, const REAL* dK, const REAL* dV, const float* angles,
                  const float* columnScale, REAL* output, unsigned char* bytes, float* scale) {
  constexpr int HALF = HEAD_DIM / 2;
  constexpr int HALF_VECTORS = HALF / VEC;
  // of either half of the heads
  constexpr int VECTORS = (HEADS + 2 * KV_HEADS) * HALF_VECTORS;
  const long long token = blockIdx.x;
  const long long row = token * WIDTH;
  Vector firsts[STEPS_OF(VECTORS)], seconds[STEPS_OF(VECTORS)];
  FOR_VECTORS(VECTORS) {
    const int head = i / HALF_VECTORS;
    const int column = i % HALF_VECTORS * VEC;
    const REAL* from;
    if (head < HEADS) {
      from = dQ + (token * HEADS + head) * HEAD_DIM;
    } else if (head < HEADS + KV_HEADS) {
      from = dK + (token * KV_HEADS + head - HEADS) * HEAD_DIM;
    } else {
      from = dV + (token * KV_HEADS + head - HEADS - KV_HEADS) * HEAD_DIM;
    }
    firsts[step] = Vector::once(from + column);
    seconds[step] = Vector::once(from + HALF + column);
  }
#if COLUMN_SCALE
  float largest = 0;
#endif
  FOR_VECTORS(VECTORS) {
    const int head = i / HALF_VECTORS;
    const int column = i % HALF_VECTORS * VEC;
    const int at = head * HEAD_DIM + column;
    if (head < HEADS + KV_HEADS) {
      float a[VEC], b[VEC], cosine[VEC], sine[VEC];
      floats(angles + token * HEAD_DIM + column, cosine);
      floats(angles + token * HEAD_DIM + HALF + column, sine);
      firsts[step].unpack(a);
      seconds[step].unpack(b);
#pragma unroll
      for (int e = 0; e < VEC; e++) {
        const float rotated = a[e] * cosine[e] + b[e] * sine[e];
        b[e] = b[e] * cosine[e] - a[e] * sine[e];
        a[e] = rotated;
      }
      firsts[step] = Vector::of(a);
      seconds[step] = Vector::of(b);
    }
    firsts[step].store(output + row + at);
    seconds[step].store(output + row + at + HALF);
#if COLUMN_SCALE
    largest = fmaxf(largest, largestOf(firsts[step], columnScale + at));
    largest = fmaxf(largest, largestOf(seconds[step], columnScale + at + HALF));
#endif
  }
#if COLUMN_SCALE
  const float s = scaleOf(acrossBlock<Largest>(largest));
  const float inverse = 1.0f / s;
  if (threadIdx.x == 0) {
    scale[blockIdx.x] = s;
  }
  FOR_VECTORS(VECTORS) {
    const int at = i / HALF_VECTORS * HEAD_DIM + i % HALF_VECTORS * VEC;
    storeFp8(firsts[step], columnScale + at, inverse, bytes + row + at);
    storeFp8(seconds[step], columnScale + at + HALF, inverse, bytes + row + at + HALF);
  }
#endif
}
