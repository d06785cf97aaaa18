// values + scale * low factor^T, with low [T, RANK] and factor [WIDTH, RANK], on the tensor cores. A
// warp takes a tile of 32 rows x 32 columns and needs no other: what several read, L1 holds.
//   WIDTH  columns, a multiple of 32
//   RANK   a multiple of 8
//
// Fragments are those of mma.m16n8k16: lane 4 g + t has the elements (g, 2 t), (g, 2 t + 1) of a
// square of 8 x 8. Which column of the tile stands where is free, as long as a lane's elements go
// where it took them from; so is the order of the sum over RANK. Both are chosen such that a lane
// reads and writes 16 bytes at once:
//   element 2 t + e of square j of a row  is column 8 t + 2 j + e of the tile's 32
//   word w of lane t of a step over 32    is elements 8 t + 2 w, 8 t + 2 w + 1 of it
#define REAL bf16
#define VEC 8
#include "vectors.cuh"
#include "silu.cuh"

// A block: 4 warps side by side, which go down STEPS times, so that L1 keeps their part of the factors.
// Grid: blocks over the columns, then over the rows.
constexpr int STEPS = 4;
constexpr int TILE = 32;
constexpr int BLOCK_COLUMNS = 4 * TILE;

// What a lane has of its warp's tile: 8 columns of 4 rows.
struct Part {
  int rows;      // of the matrix
  int firstRow;  // of the lane, and likewise
  int column;

  DEVICE Part of(int step, int rows) {
    const int warp = threadIdx.x / 32;
    const int lane = threadIdx.x % 32;
    return {rows, ((int)blockIdx.y * STEPS + step) * TILE + lane / 4,
            (int)blockIdx.x * BLOCK_COLUMNS + warp * TILE + lane % 4 * 8};
  }

  // Whether the tile is outside of the matrix: the same for all lanes of the warp.
  __device__ __forceinline__ bool isOutside() const {
    return column >= WIDTH || firstRow / TILE * TILE >= rows;
  }

  __device__ __forceinline__ bool isRow(int m, int h) const {
    return firstRow + 16 * m + 8 * h < rows;
  }

  // The number of a row; the last one's for those behind it, which are read, but not written.
  __device__ __forceinline__ int row(int m, int h) const {
    return isRow(m, h) ? firstRow + 16 * m + 8 * h : rows - 1;
  }
};

// Reads a lane's part of a matrix with rows of width elements.
DEVICE void read(const bf16* matrix, int width, const Part& part, Vector (&values)[2][2]) {
#pragma unroll
  for (int m = 0; m < 2; m++) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      values[m][h] = Vector::once(matrix + (long long)part.row(m, h) * width + part.column);
    }
  }
}

// d += a b of 16 x 16 and 16 x 8.
DEVICE void multiply(float (&d)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0,
                     unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

// A lane's words of COUNT elements of a row; those that there are not are 0.
template <int COUNT>
DEVICE uint4 words(const bf16* from, int t) {
  if constexpr (COUNT == 32) {
    return loadShared(from + 8 * t);
  }
  uint4 words = {0, 0, 0, 0};
  if constexpr (COUNT == 16) {
    const uint2 two = *reinterpret_cast<const uint2*>(from + 4 * t);
    words.x = two.x;
    words.y = two.y;
  } else if constexpr (COUNT == 8) {
    words.x = *reinterpret_cast<const unsigned*>(from + 2 * t);
  }
  return words;
}

// sums += low factor^T over COUNT of RANK from k on.
template <int COUNT>
DEVICE void multiplyStep(const bf16* low, int stride, const bf16* factor, const Part& part,
                         int k, float (&sums)[2][4][4]) {
  const int g = threadIdx.x % 32 / 4;
  const int t = threadIdx.x % 4;
  uint4 a[2][2];
#pragma unroll
  for (int m = 0; m < 2; m++) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      a[m][h] = words<COUNT>(low + (long long)part.row(m, h) * stride + k, t);
    }
  }
  // column - 8 t is the tile's first
  const bf16* columns = factor + (part.column - 8 * t + 8 * (g / 2) + g % 2) * RANK + k;
#pragma unroll
  for (int j = 0; j < 4; j++) {
    const uint4 b = words<COUNT>(columns + 2 * j * RANK, t);
#pragma unroll
    for (int m = 0; m < 2; m++) {
      multiply(sums[m][j], a[m][0].x, a[m][1].x, a[m][0].y, a[m][1].y, b.x, b.y);
      if constexpr (COUNT == 32) {
        multiply(sums[m][j], a[m][0].z, a[m][1].z, a[m][0].w, a[m][1].w, b.z, b.w);
      }
    }
  }
}

// values += scale * low factor^T, rounded to bf16. low's rows are stride elements apart.
DEVICE void addLowRank(const bf16* low, int stride, const bf16* factor, float scale,
                       const Part& part, Vector (&values)[2][2]) {
  float sums[2][4][4] = {};
#pragma unroll 2
  for (int k = 0; k < RANK / 32 * 32; k += 32) {
    multiplyStep<32>(low, stride, factor, part, k, sums);
  }
  if constexpr (RANK % 32 >= 16) {
    multiplyStep<16>(low, stride, factor, part, RANK / 32 * 32, sums);
  }
  if constexpr (RANK % 16 == 8) {
    multiplyStep<8>(low, stride, factor, part, RANK / 16 * 16, sums);
  }
#pragma unroll
  for (int m = 0; m < 2; m++) {
#pragma unroll
    for (int h = 0; h < 2; h++) {
      float v[VEC];
      values[m][h].unpack(v);
#pragma unroll
      for (int e = 0; e < VEC; e++) {
        v[e] = fmaf(scale, sums[m][e / 2][2 * h + e % 2], v[e]);
      }
      values[m][h] = Vector::of(v);
    }
  }
}
