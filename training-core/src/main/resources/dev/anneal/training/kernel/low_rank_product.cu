// result [M, N] = left right^T + scale low factor^T, of which each module, a range of columns of
// result, has its own: for Hopper's tensor cores (sm_90a), rounded to bf16 once.
//
//   FP8                e4m3 factors left [M, K] and right [N, K] with a fp32 scale a row, accumulated
//                      fast; else bf16, without scales
//   RIGHT_BY_COLUMNS   right lies as [K, N]; bf16 alone
//   FACTOR_BY_COLUMNS  factor lies as [r, N], else as [n, r]; bf16 like low [M, r]
//
// A cluster of two blocks computes two tiles of 128 rows and the same 256 columns: each block loads
// its rows of left, and half of the columns of right for both. One thread asks the copy engine for
// blocks of 128 bytes of K, four ahead; two groups of four warps multiply 64 rows each. Behind K come
// the blocks of low and factor, when sums have their scales already, and each group's result goes out
// through shared memory while the next tile's blocks come in.
//
// Grid: pairs of blocks of THREADS, as many as the GPU runs at once; SHARED_BYTES of dynamic memory.
// Ranges of columns begin at multiples of 256.
#include "numbers.cuh"

typedef unsigned u32;
typedef unsigned long long u64;

constexpr int TILE_ROWS = 128, TILE_COLUMNS = 256, STAGES = 4, MODULES = 3;
constexpr int LEFT_BYTES = TILE_ROWS * 128, RIGHT_BYTES = TILE_COLUMNS * 128;
constexpr int STAGE_BYTES = LEFT_BYTES + RIGHT_BYTES;
// 64 columns of a matrix that lies by columns, 64 of K
constexpr int CHUNK_BYTES = 64 * 128;
constexpr int ELEMENTS = FP8 ? 128 : 64;  // of K a block
constexpr int PIPELINE_BYTES = STAGES * STAGE_BYTES;
// 64 rows of 64 columns of the result, twice, and the scales of all columns
constexpr int GROUP_BYTES = 2 * CHUNK_BYTES + TILE_COLUMNS * 4;
constexpr int THREADS = 384;

struct alignas(64) TensorMap {
  u64 opaque[16];
};

struct Product {
  TensorMap left, right, result, low[MODULES], factor[MODULES];
  const float *leftScale, *rightScale;
  int m, n, k;
  int band;  // pairs of tiles of rows that go through all columns together
  int modules;
  int begin[MODULES];  // first column
  int rank[MODULES];   // 0: nothing is added
  float scale[MODULES];

  __device__ __forceinline__ int pairs() const { return (m + 2 * TILE_ROWS - 1) / (2 * TILE_ROWS); }
  __device__ __forceinline__ int columns() const { return (n + TILE_COLUMNS - 1) / TILE_COLUMNS; }
  __device__ __forceinline__ int tiles() const { return pairs() * columns(); }
};

DEVICE u32 sharedAddress(const void* p) { return (u32)__cvta_generic_to_shared(p); }

DEVICE void initBarrier(u32 barrier, u32 arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals));
}

DEVICE void expectBytes(u32 barrier, u32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
               : "memory");
}

DEVICE void waitFor(u32 barrier, u32 parity) {
  asm volatile(
      "{ .reg .pred done;\n"
      "again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra again; }" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

// At the barrier of a block of the cluster.
DEVICE void arriveAt(u32 barrier, u32 block) {
  asm volatile(
      "{ .reg .b32 there; mapa.shared::cluster.u32 there, %0, %1;\n"
      "mbarrier.arrive.shared::cluster.b64 _, [there]; }" ::"r"(barrier),
      "r"(block)
      : "memory");
}

DEVICE void clusterBarrier() {
  asm volatile("barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;" ::: "memory");
}

DEVICE void load(u32 to, const TensorMap* from, u32 barrier, int x, int y) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%3, %4}], [%2];" ::"r"(to),
      "l"(from), "r"(barrier), "r"(x), "r"(y)
      : "memory");
}

DEVICE void loadForBoth(u32 to, const TensorMap* from, u32 barrier, int x, int y) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".multicast::cluster [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(to),
      "l"(from), "r"(barrier), "r"(x), "r"(y), "h"((unsigned short)3)
      : "memory");
}

// What wgmma is told of a matrix in shared memory, which the copy engine has swizzled by 128 bytes:
// rows of 128 bytes of K, eight of them 1,024 apart.
DEVICE u64 byRows(u32 address) {
  return (address & 0x3ffff) >> 4 | 1ull << 16 | (u64)(1024 >> 4) << 32 | 1ull << 62;
}

// Chunks of 64 columns, in rows of 128 bytes of one K.
DEVICE u64 byColumns(u32 address) {
  return (address & 0x3ffff) >> 4 | (u64)(CHUNK_BYTES >> 4) << 16 | (u64)(1024 >> 4) << 32 |
         1ull << 62;
}

DEVICE void fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

DEVICE void commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

template <int PENDING>
DEVICE void await() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory");
}

// The compiler must not move what it does with sums across a wait.
DEVICE void settle(float (&sums)[128]) {
#pragma unroll
  for (int i = 0; i < 128; i++) {
    asm volatile("" : "+f"(sums[i])::"memory");
  }
}

#define REGISTERS_8(d, i)                                                                        \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), \
      "+f"(d[i + 6]), "+f"(d[i + 7])
#define REGISTERS_32(d, i) \
  REGISTERS_8(d, i), REGISTERS_8(d, i + 8), REGISTERS_8(d, i + 16), REGISTERS_8(d, i + 24)
#define REGISTERS \
  REGISTERS_32(sums, 0), REGISTERS_32(sums, 32), REGISTERS_32(sums, 64), REGISTERS_32(sums, 96)
#define NAMES                                                                                  \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                     \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "           \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "           \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, "           \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "           \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "           \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, "     \
  "%111, %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, " \
  "%126, %127"

#if FP8
#define OF_K "k32.f32.e4m3.e4m3"
#define LAYOUTS ""
#else
#define OF_K "k16.f32.bf16.bf16"
#if RIGHT_BY_COLUMNS
#define LAYOUTS ", 0, 1"
#else
#define LAYOUTS ", 0, 0"
#endif
#endif
#if FACTOR_BY_COLUMNS
#define FACTOR_LAYOUTS ", 0, 1"
#else
#define FACTOR_LAYOUTS ", 0, 0"
#endif

// sums [64, 256] = left right^T of 32 bytes of K, or added to what they are.
DEVICE void multiply(float (&sums)[128], u64 left, u64 right, bool add) {
  asm volatile("{ .reg .pred add; setp.ne.b32 add, %130, 0;\n"
               "wgmma.mma_async.sync.aligned.m64n256" OF_K " {" NAMES
               "}, %128, %129, add, 1, 1" LAYOUTS "; }"
               : REGISTERS
               : "l"(left), "l"(right), "r"((int)add));
}

// sums [64, 256] += low factor^T of 16 of r.
DEVICE void multiplyLow(float (&sums)[128], u64 low, u64 factor) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {" NAMES
               "}, %128, %129, 1, 1, 1" FACTOR_LAYOUTS ";"
               : REGISTERS
               : "l"(low), "l"(factor));
}

// Which block of K is next, and how the barriers of its stage stand.
struct Stage {
  int index = 0;
  u32 phase = 0;

  __device__ __forceinline__ void next() {
    if (++index == STAGES) {
      index = 0;
      phase ^= 1;
    }
  }
};

// The stages, behind them what the groups have, behind that a barrier for each stage that is full
// and one for each that is empty.
struct Pipeline {
  u32 memory;

  __device__ __forceinline__ u32 left(const Stage& stage) const {
    return memory + stage.index * STAGE_BYTES;
  }
  __device__ __forceinline__ u32 right(const Stage& stage) const { return left(stage) + LEFT_BYTES; }
  __device__ __forceinline__ u32 full(int stage) const {
    return memory + PIPELINE_BYTES + 2 * GROUP_BYTES + 8 * stage;
  }
  __device__ __forceinline__ u32 empty(int stage) const { return full(STAGES + stage); }
};

// Four warps that multiply 64 of a block's rows.
struct Group {
  int index, thread;
  u32 staging, scales;

  __device__ __forceinline__ void barrier() const {
    asm volatile("bar.sync %0, 128;" ::"r"(1 + index) : "memory");
  }
  // To either block, which has loaded a part of the stage.
  __device__ __forceinline__ void release(const Pipeline& pipeline, int stage) const {
    if (thread < 2) {
      arriveAt(pipeline.empty(stage), thread);
    }
  }
};

// One tile of 128 rows of a block: pairs of tiles in bands, of a band the rows first.
struct Tile {
  int row, column, module = 0;

  __device__ __forceinline__ Tile(int index, const Product& product) {
    const int perBand = product.band * product.columns();
    const int first = index / perBand * product.band;
    const int inside = index % perBand;
    const int height = min(product.band, product.pairs() - first);
    row = (2 * (first + inside % height) + (int)(blockIdx.x % 2)) * TILE_ROWS;
    column = inside / height * TILE_COLUMNS;
#pragma unroll
    for (int i = 1; i < MODULES; i++) {
      if (i < product.modules && column >= product.begin[i]) {
        module = i;
      }
    }
  }
};

DEVICE void loadTiles(const Product& product, const Pipeline& pipeline) {
  const int half = blockIdx.x % 2;
  Stage stage;
  for (int index = blockIdx.x / 2; index < product.tiles(); index += gridDim.x / 2) {
    const Tile tile(index, product);
    const int column = tile.column + half * (TILE_COLUMNS / 2);
    for (int k = 0; k < product.k; k += ELEMENTS, stage.next()) {
      const u32 right = pipeline.right(stage) + half * (RIGHT_BYTES / 2);
      const u32 full = pipeline.full(stage.index);
      waitFor(pipeline.empty(stage.index), stage.phase ^ 1);
      expectBytes(full, STAGE_BYTES);
      load(pipeline.left(stage), &product.left, full, k, tile.row);
#if RIGHT_BY_COLUMNS
      loadForBoth(right, &product.right, full, column, k);
      loadForBoth(right + CHUNK_BYTES, &product.right, full, column + 64, k);
#else
      loadForBoth(right, &product.right, full, k, column);
#endif
    }
    const TensorMap* factor = &product.factor[tile.module];
    const int within = column - product.begin[tile.module];
    for (int r = 0; r < product.rank[tile.module]; r += 64, stage.next()) {
      const u32 right = pipeline.right(stage) + half * (RIGHT_BYTES / 2);
      const u32 full = pipeline.full(stage.index);
      waitFor(pipeline.empty(stage.index), stage.phase ^ 1);
      expectBytes(full, STAGE_BYTES);
      load(pipeline.left(stage), &product.low[tile.module], full, r, tile.row);
#if FACTOR_BY_COLUMNS
      loadForBoth(right, factor, full, within, r);
      loadForBoth(right + CHUNK_BYTES, factor, full, within + 64, r);
#else
      loadForBoth(right, factor, full, r, within);
#endif
    }
  }
}

// A group's sums [64, 256] times scale, to the result, 64 columns at a time. Of every eight columns
// a thread has two of row lane / 4 and two of the row eight below.
DEVICE void store(float (&sums)[128], float scale, const Product& product, const Group& group, Tile tile) {
  const int lane = group.thread % 32;
  // the row of an 8 x 8 matrix that this thread gives the address of, and its columns
  const int matrixRow = group.thread / 32 * 16 + lane % 16, chunk = lane / 16;
#pragma unroll
  for (int quarter = 0; quarter < 4; quarter++) {
    const u32 buffer = group.staging + quarter % 2 * CHUNK_BYTES;
    if (group.thread == 0) {
      asm volatile("cp.async.bulk.wait_group.read 1;" ::: "memory");
    }
    group.barrier();
#pragma unroll
    for (int i = 0; i < 32; i += 8) {
      const float* s = sums + 32 * quarter + i;
      const u32 to = buffer + matrixRow * 128 + ((i / 4 + chunk) ^ (matrixRow % 8)) * 16;
      asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(to),
                   "r"(bf16Pair(s[0] * scale, s[1] * scale)),
                   "r"(bf16Pair(s[2] * scale, s[3] * scale)),
                   "r"(bf16Pair(s[4] * scale, s[5] * scale)),
                   "r"(bf16Pair(s[6] * scale, s[7] * scale))
                   : "memory");
    }
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    group.barrier();
    if (group.thread == 0) {
      asm volatile(
          "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];\n"
          "cp.async.bulk.commit_group;" ::"l"(&product.result),
          "r"(buffer), "r"(tile.column + 64 * quarter), "r"(tile.row + 64 * group.index)
          : "memory");
    }
  }
}

// The scales of FP8 factors that a thread's sums are multiplied with: asked for before the products,
// needed behind them.
struct Scales {
#if FP8
  float upper, lower;
  float2 mine;  // of two columns, for the group

  __device__ __forceinline__ Scales(const Product& product, const Group& group, Tile tile) {
    const int row = tile.row + 64 * group.index + group.thread / 32 * 16 + group.thread % 32 / 4;
    const int column = tile.column + 2 * group.thread;
    upper = row < product.m ? product.leftScale[row] : 0;
    lower = row + 8 < product.m ? product.leftScale[row + 8] : 0;
    mine = column < product.n ? *(const float2*)(product.rightScale + column) : make_float2(0, 0);
  }

  __device__ __forceinline__ void apply(float (&sums)[128], float before, const Group& group) {
    asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(group.scales + 8 * group.thread),
                 "f"(mine.x), "f"(mine.y)
                 : "memory");
    group.barrier();
    upper *= before;
    lower *= before;
#pragma unroll
    for (int i = 0; i < 128; i += 4) {
      float x, y;
      asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];"
                   : "=f"(x), "=f"(y)
                   : "r"(group.scales + group.thread % 4 * 8 + 8 * i)
                   : "memory");
      sums[i] *= upper * x;
      sums[i + 1] *= upper * y;
      sums[i + 2] *= lower * x;
      sums[i + 3] *= lower * y;
    }
  }
#else
  __device__ __forceinline__ Scales(const Product&, const Group&, Tile) {}

  __device__ __forceinline__ void apply(float (&sums)[128], float before, const Group&) {
#pragma unroll
    for (int i = 0; i < 128; i++) {
      sums[i] *= before;
    }
  }
#endif
};

DEVICE void multiplyTiles(const Product& product, const Pipeline& pipeline, const Group& group) {
  float sums[128];
  Stage stage;
  for (int index = blockIdx.x / 2; index < product.tiles(); index += gridDim.x / 2) {
    const Tile tile(index, product);
    const int rank = product.rank[tile.module];
    // low factor^T is added to sums over scale
    const float scale = rank > 0 ? product.scale[tile.module] : 1.0f;
    Scales scales(product, group, tile);
    int previous = -1;
    for (int k = 0; k < product.k; k += ELEMENTS, stage.next()) {
      const u32 left = pipeline.left(stage) + group.index * (LEFT_BYTES / 2);
      const u32 right = pipeline.right(stage);
      waitFor(pipeline.full(stage.index), stage.phase);
      fence();
#pragma unroll
      for (int i = 0; i < 4; i++) {
#if RIGHT_BY_COLUMNS
        multiply(sums, byRows(left + 32 * i), byColumns(right + 2048 * i), (k | i) != 0);
#else
        multiply(sums, byRows(left + 32 * i), byRows(right + 32 * i), (k | i) != 0);
#endif
      }
      commit();
      // with this block under way the one before is done with
      await<1>();
      if (previous >= 0) {
        group.release(pipeline, previous);
      }
      previous = stage.index;
    }
    await<0>();
    settle(sums);
    group.release(pipeline, previous);
    scales.apply(sums, 1.0f / scale, group);
    for (int r = 0; r < rank; r += 64, stage.next()) {
      const u32 low = pipeline.left(stage) + group.index * (LEFT_BYTES / 2);
      const u32 factor = pipeline.right(stage);
      waitFor(pipeline.full(stage.index), stage.phase);
      settle(sums);
      fence();
      for (int i = 0; i < min(4, (rank - r + 15) / 16); i++) {
#if FACTOR_BY_COLUMNS
        multiplyLow(sums, byRows(low + 32 * i), byColumns(factor + 2048 * i));
#else
        multiplyLow(sums, byRows(low + 32 * i), byRows(factor + 32 * i));
#endif
      }
      commit();
      await<0>();
      settle(sums);
      group.release(pipeline, stage.index);
    }
    store(sums, scale, product, group, tile);
  }
  if (group.thread == 0) {
    asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
  }
}

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(THREADS, 1)
    low_rank_product(const __grid_constant__ Product product) {
  extern __shared__ __align__(1024) unsigned char shared[];
  const Pipeline pipeline{sharedAddress(shared)};
  if (threadIdx.x == 0) {
    for (int i = 0; i < STAGES; i++) {
      initBarrier(pipeline.full(i), 1);
      initBarrier(pipeline.empty(i), 4);  // two groups of either block
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  clusterBarrier();
  if (threadIdx.x < 128) {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
    if (threadIdx.x == 0) {
      loadTiles(product, pipeline);
    }
  } else {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
    const int group = threadIdx.x / 128 - 1;
    const u32 staging = pipeline.memory + PIPELINE_BYTES + group * GROUP_BYTES;
    multiplyTiles(product, pipeline,
                  Group{group, (int)threadIdx.x % 128, staging, staging + 2 * CHUNK_BYTES});
  }
  // a block's memory must be there as long as the other one writes to it
  clusterBarrier();
}
