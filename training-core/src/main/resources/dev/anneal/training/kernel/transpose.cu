// to [columns, rows] = the transpose of the bytes from [rows, columns].
//
// Bytes: 2 rows columns. transpose16 takes rows and columns that are multiples of 16 and pointers
// aligned to 16, transpose1 any.

// Blocks of 256 threads, a tile of 128 x 128 bytes each; grid: tiles over the columns, then over the
// rows. A thread reads 16 columns of 4 rows, transposes their 4 x 4 squares in registers, and leaves
// 16 words, each 4 rows of one column, in shared memory, from where 16 rows of a column are written
// at once. The 4 words of 16 rows stay together; their place within the column is turned by
// the column's number, so that neither side of the exchange has bank conflicts.
extern "C" __global__ void __launch_bounds__(256)
    transpose16(const unsigned char* from, unsigned char* to, int rows, int columns) {
  // [128 columns][8 places of 16 rows], a place: 4 words
  __shared__ uint4 tile[128 * 8];
  unsigned* words = reinterpret_cast<unsigned*>(tile);
  const int firstColumn = blockIdx.x * 128;
  const int firstRow = blockIdx.y * 128;

  {
    const int chunk = threadIdx.x % 8;
    const int group = threadIdx.x / 8;
    const int column = firstColumn + chunk * 16;
    const int row = firstRow + group * 4;
    if (column < columns && row < rows) {
      uint4 raw[4];
#pragma unroll
      for (int r = 0; r < 4; r++) {
        raw[r] = *reinterpret_cast<const uint4*>(from + (long long)(row + r) * columns + column);
      }
      // 32 words a column; group / 4 is the place, group % 4 the word of it
      unsigned* out = words + chunk * 16 * 32 + ((group / 4) ^ chunk) * 4 + group % 4;
#pragma unroll
      for (int w = 0; w < 4; w++) {
        const unsigned a = (&raw[0].x)[w], b = (&raw[1].x)[w];
        const unsigned c = (&raw[2].x)[w], d = (&raw[3].x)[w];
        // byte k of a, b, c, d, in this order, is column k of the square
        const unsigned ab01 = __byte_perm(a, b, 0x5140), cd01 = __byte_perm(c, d, 0x5140);
        const unsigned ab23 = __byte_perm(a, b, 0x7362), cd23 = __byte_perm(c, d, 0x7362);
        out[(4 * w + 0) * 32] = __byte_perm(ab01, cd01, 0x5410);
        out[(4 * w + 1) * 32] = __byte_perm(ab01, cd01, 0x7632);
        out[(4 * w + 2) * 32] = __byte_perm(ab23, cd23, 0x5410);
        out[(4 * w + 3) * 32] = __byte_perm(ab23, cd23, 0x7632);
      }
    }
  }
  __syncthreads();

  const int place = threadIdx.x % 8;
  const int row = firstRow + place * 16;
#pragma unroll
  for (int pass = 0; pass < 4; pass++) {
    const int c = pass * 32 + threadIdx.x / 8;
    const int column = firstColumn + c;
    if (column < columns && row < rows) {
      *reinterpret_cast<uint4*>(to + (long long)column * rows + row) =
          tile[c * 8 + (place ^ (c / 16))];
    }
  }
}

// Blocks of 32 x 8 threads, a tile of 32 x 32 bytes each; grid as above.
extern "C" __global__ void __launch_bounds__(256)
    transpose1(const unsigned char* from, unsigned char* to, int rows, int columns) {
  __shared__ unsigned char tile[32][33];
  const int column = blockIdx.x * 32 + threadIdx.x;
  for (int y = threadIdx.y; y < 32; y += 8) {
    const int row = blockIdx.y * 32 + y;
    if (row < rows && column < columns) {
      tile[y][threadIdx.x] = from[(long long)row * columns + column];
    }
  }
  __syncthreads();
  const int row = blockIdx.y * 32 + threadIdx.x;
  for (int y = threadIdx.y; y < 32; y += 8) {
    const int toRow = blockIdx.x * 32 + y;
    if (row < rows && toRow < columns) {
      to[(long long)toRow * rows + row] = tile[threadIdx.x][y];
    }
  }
}
