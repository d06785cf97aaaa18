// Vectors of VEC elements of REAL, as memory holds them and as floats.
//
// Compiled without headers of CUDA, which a node may lack, for
//   REAL  bf16 or float: the compute dtype
//   VEC   elements of an access: 16 bytes, or 1 where rows or pointers are not aligned to that

#include "numbers.cuh"

// Data that is read or written once: it must not push what every row needs out of L1.
DEVICE uint4 loadOnce(const void* from) {
  uint4 raw;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(raw.x), "=r"(raw.y), "=r"(raw.z), "=r"(raw.w)
               : "l"(from)
               : "memory");
  return raw;
}

// What every row needs and no kernel writes while it runs.
DEVICE uint4 loadShared(const void* from) {
  uint4 raw;
  // volatile: loaded again where it is needed again, rather than kept in registers in between
  asm volatile("ld.global.nc.L1::evict_last.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(raw.x), "=r"(raw.y), "=r"(raw.z), "=r"(raw.w)
               : "l"(from));
  return raw;
}

// N elements as memory holds them.
template <class T, int N>
struct Pack;

template <>
struct Pack<bf16, 8> {
  uint4 raw;

  DEVICE Pack once(const bf16* from) { return {loadOnce(from)}; }
  DEVICE Pack shared(const bf16* from) { return {loadShared(from)}; }
  DEVICE Pack of(const float (&v)[8]) {
    return {{bf16Pair(v[0], v[1]), bf16Pair(v[2], v[3]), bf16Pair(v[4], v[5]), bf16Pair(v[6], v[7])}};
  }
  __device__ __forceinline__ void store(bf16* to) const { *reinterpret_cast<uint4*>(to) = raw; }
  __device__ __forceinline__ void unpack(float (&v)[8]) const {
    const unsigned pairs[4] = {raw.x, raw.y, raw.z, raw.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      v[2 * i] = bf16Low(pairs[i]);
      v[2 * i + 1] = bf16High(pairs[i]);
    }
  }
};

template <>
struct Pack<bf16, 1> {
  unsigned short raw;

  DEVICE Pack once(const bf16* from) { return {from->bits}; }
  DEVICE Pack shared(const bf16* from) { return {from->bits}; }
  DEVICE Pack of(const float (&v)[1]) { return {(unsigned short)bf16Pair(v[0], 0)}; }
  __device__ __forceinline__ void store(bf16* to) const { to->bits = raw; }
  __device__ __forceinline__ void unpack(float (&v)[1]) const { v[0] = bf16Low(raw); }
};

template <>
struct Pack<float, 4> {
  uint4 raw;

  DEVICE Pack once(const float* from) { return {loadOnce(from)}; }
  DEVICE Pack shared(const float* from) { return {loadShared(from)}; }
  DEVICE Pack of(const float (&v)[4]) {
    return {{__float_as_uint(v[0]), __float_as_uint(v[1]), __float_as_uint(v[2]), __float_as_uint(v[3])}};
  }
  __device__ __forceinline__ void store(float* to) const { *reinterpret_cast<uint4*>(to) = raw; }
  __device__ __forceinline__ void unpack(float (&v)[4]) const {
    v[0] = __uint_as_float(raw.x);
    v[1] = __uint_as_float(raw.y);
    v[2] = __uint_as_float(raw.z);
    v[3] = __uint_as_float(raw.w);
  }
};

template <>
struct Pack<float, 1> {
  float raw;

  DEVICE Pack once(const float* from) { return {*from}; }
  DEVICE Pack shared(const float* from) { return {*from}; }
  DEVICE Pack of(const float (&v)[1]) { return {v[0]}; }
  __device__ __forceinline__ void store(float* to) const { *to = raw; }
  __device__ __forceinline__ void unpack(float (&v)[1]) const { v[0] = raw; }
};

typedef Pack<REAL, VEC> Vector;

// VEC floats that every row needs.
DEVICE void floats(const float* from, float (&v)[VEC]) {
  if constexpr (VEC % 4 == 0) {
#pragma unroll
    for (int i = 0; i < VEC; i += 4) {
      const uint4 raw = loadShared(from + i);
      v[i] = __uint_as_float(raw.x);
      v[i + 1] = __uint_as_float(raw.y);
      v[i + 2] = __uint_as_float(raw.z);
      v[i + 3] = __uint_as_float(raw.w);
    }
  } else {
#pragma unroll
    for (int i = 0; i < VEC; i++) {
      v[i] = from[i];
    }
  }
}

// VEC floats to e4m3 bytes.
DEVICE void storeBytes(const float (&v)[VEC], unsigned char* to) {
  if constexpr (VEC == 8) {
    uint2 raw;
    raw.x = e4m3Pair(v[0], v[1]) | ((unsigned)e4m3Pair(v[2], v[3]) << 16);
    raw.y = e4m3Pair(v[4], v[5]) | ((unsigned)e4m3Pair(v[6], v[7]) << 16);
    *reinterpret_cast<uint2*>(to) = raw;
  } else if constexpr (VEC == 4) {
    *reinterpret_cast<unsigned*>(to) =
        e4m3Pair(v[0], v[1]) | ((unsigned)e4m3Pair(v[2], v[3]) << 16);
  } else {
#pragma unroll
    for (int i = 0; i < VEC; i++) {
      to[i] = (unsigned char)e4m3Pair(v[i], 0);
    }
  }
}
