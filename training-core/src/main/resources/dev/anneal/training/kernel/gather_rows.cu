// Rows ids [T] of a matrix in parts of partRows rows, the p-th at address parts[p], to output [T, WIDTH].
// A part may lie on another device: its rows never change.
//
// Bytes a row of bf16: 4 WIDTH (the row, output). Grid: T blocks of any number of threads.
#include "vectors.cuh"

extern "C" __global__ void gather_rows(
    const long long* parts, long long partRows, const long long* ids, long long rows, REAL* output) {
  const long long id = ids[blockIdx.x];
  if (id < 0 || id >= rows) {
    __trap();  // as libtorch's own embedding does: whoever asks has checked the ids
    return;
  }
  const REAL* from = reinterpret_cast<const REAL*>(parts[id / partRows]) + id % partRows * WIDTH;
  REAL* to = output + (long long)blockIdx.x * WIDTH;
  for (int i = threadIdx.x; i < WIDTH / VEC; i += blockDim.x) {
    Vector::once(from + i * VEC).store(to + i * VEC);
  }
}
