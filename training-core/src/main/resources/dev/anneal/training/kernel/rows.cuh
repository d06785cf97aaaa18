// What the kernels over rows share. A block takes one row of WIDTH elements; its thread t keeps the
// vectors t, t + THREADS, ... in registers, so that a row is read once.
//   WIDTH         elements of a row
//   THREADS       of a block, a multiple of 32
//   BLOCKS        that a multiprocessor has registers for
//   COLUMN_SCALE  1 where columns are scaled before they are quantized, else 0
#include "vectors.cuh"

struct Sum {
  DEVICE float none() { return 0; }
  DEVICE float of(float a, float b) { return a + b; }
};

struct Largest {
  DEVICE float none() { return __uint_as_float(0xff800000u); }
  DEVICE float of(float a, float b) { return fmaxf(a, b); }
};

template <class Op>
DEVICE float acrossWarp(float x) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) {
    x = Op::of(x, __shfl_xor_sync(0xffffffffu, x, distance));
  }
  return x;
}

// Op over the block: the same bits in every thread and every run. At most once a kernel and Op, which
// have their shared memory to themselves.
template <class Op>
DEVICE float acrossBlock(float x) {
  constexpr int WARPS = THREADS / 32;
  x = acrossWarp<Op>(x);
  if constexpr (WARPS > 1) {
    __shared__ float ofWarp[32];
    const int lane = threadIdx.x % 32;
    if (lane == 0) {
      ofWarp[threadIdx.x / 32] = x;
    }
    __syncthreads();
    x = acrossWarp<Op>(lane < WARPS ? ofWarp[lane] : Op::none());
  }
  return x;
}

// The FP8 scale of a row by its largest magnitude: over 448; 1 where the reciprocal would overflow.
DEVICE float scaleOf(float largest) {
  const float scale = largest * (1.0f / 448.0f);
  return scale < 1e-37f ? 1.0f : scale;
}

// v times the column scales at columns, where there are any.
DEVICE void scaleColumns(const float* columns, float (&v)[VEC]) {
#if COLUMN_SCALE
  float scales[VEC];
  floats(columns, scales);
#pragma unroll
  for (int i = 0; i < VEC; i++) {
    v[i] *= scales[i];
  }
#endif
}

// The largest magnitude of a vector after its columns are scaled.
DEVICE float largestOf(const Vector& vector, const float* columns) {
  float v[VEC];
  vector.unpack(v);
  scaleColumns(columns, v);
  float largest = 0;
#pragma unroll
  for (int i = 0; i < VEC; i++) {
    largest = fmaxf(largest, fabsf(v[i]));
  }
  return largest;
}

// A vector's FP8 form: its columns scaled, times the reciprocal of the row's scale.
DEVICE void storeFp8(const Vector& vector, const float* columns, float inverse, unsigned char* to) {
  float v[VEC];
  vector.unpack(v);
  scaleColumns(columns, v);
#pragma unroll
  for (int i = 0; i < VEC; i++) {
    v[i] *= inverse;
  }
  storeBytes(v, to);
}

// Loops over a thread's vectors of a row of COUNT: body sees step and the vector's index i.
#define STEPS_OF(COUNT) (((COUNT) + THREADS - 1) / THREADS)
#define FOR_VECTORS(COUNT)                                                   \
  _Pragma("unroll") for (int step = 0, i = threadIdx.x; step < STEPS_OF(COUNT); \
                         step++, i += THREADS) if ((COUNT) % THREADS == 0 || i < (COUNT))
