// Rotates heads [T, count, HEAD_DIM], rowStride elements a token, in place: the halves a, b of a head
// become a cos - b sin, b cos + a sin. angles [T, HEAD_DIM]: the cosines, then the sines.
//
// Bytes a row of bf16: 4 count HEAD_DIM (heads twice). Grid: T blocks of any number of threads.
// WIDTH is HEAD_DIM.
#include "vectors.cuh"

extern "C" __global__ void rope(REAL* heads, const float* angles, long long rowStride, int count) {
  constexpr int HALF = WIDTH / 2;
  constexpr int VECTORS = HALF / VEC;
  const float* cosines = angles + (long long)blockIdx.x * WIDTH;
  for (int i = threadIdx.x; i < count * VECTORS; i += blockDim.x) {
    const int column = i % VECTORS * VEC;
    REAL* head = heads + blockIdx.x * rowStride + i / VECTORS * WIDTH + column;
    float a[VEC], b[VEC], cosine[VEC], sine[VEC];
    const Vector first = Vector::once(head);
    const Vector second = Vector::once(head + HALF);
    floats(cosines + column, cosine);
    floats(cosines + HALF + column, sine);
    first.unpack(a);
    second.unpack(b);
#pragma unroll
    for (int e = 0; e < VEC; e++) {
      const float rotated = a[e] * cosine[e] - b[e] * sine[e];
      b[e] = b[e] * cosine[e] + a[e] * sine[e];
      a[e] = rotated;
    }
    Vector::of(a).store(head);
    Vector::of(b).store(head + HALF);
  }
}
