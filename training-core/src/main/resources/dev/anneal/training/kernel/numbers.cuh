// Numbers of two and of one byte, of whatever shapes a kernel is compiled for.
//
// Compiled without headers of CUDA, which a node may lack.

struct bf16 {
  unsigned short bits;
};

#define DEVICE static __device__ __forceinline__

// Two floats to bf16, rounded to nearest even; low is the lower half.
DEVICE unsigned bf16Pair(float low, float high) {
  unsigned pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

// Two floats to e4m3, saturating at 448; low is the lower byte.
DEVICE unsigned short e4m3Pair(float low, float high) {
#if __CUDA_ARCH__ >= 890
  unsigned short pair;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(high), "f"(low));
  return pair;
#else
  __trap();  // FP8 needs compute capability 8.9, which whoever asks for it has checked
  return 0;
#endif
}

DEVICE float bf16Low(unsigned pair) { return __uint_as_float(pair << 16); }

DEVICE float bf16High(unsigned pair) { return __uint_as_float(pair & 0xffff0000u); }
