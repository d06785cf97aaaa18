// output [rows, WIDTH] = silu(gate) * up, where gateUp [rows, 2 WIDTH] is gate, then up, each before its
// low-rank part: GATE and UP (0 or 1) say which of them has one.
//
// Bytes a row: 6 WIDTH (gate, up, output). Grid: see low_rank.cuh; blocks of 128.
#include "low_rank.cuh"

extern "C" __global__ void __launch_bounds__(128, 4)
    swiglu_low_rank(const bf16* gateUp, bf16* output, int rows,                             //
                    const bf16* gateLow, int gateStride, const bf16* gateFactor,      //
                    float gateScale,                                                        //
                    const bf16* upLow, int upStride, const bf16* upFactor, float upScale) {
  for (int step = 0; step < STEPS; step++) {
    const Part part = Part::of(step, rows);
    if (part.isOutside()) {
      return;
    }
    Vector gates[2][2], ups[2][2];
    read(gateUp, 2 * WIDTH, part, gates);
    read(gateUp + WIDTH, 2 * WIDTH, part, ups);
#if GATE
    addLowRank(gateLow, gateStride, gateFactor, gateScale, part, gates);
#endif
#if UP
    addLowRank(upLow, upStride, upFactor, upScale, part, ups);
#endif
#pragma unroll
    for (int m = 0; m < 2; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        float gate[VEC], up[VEC];
        gates[m][h].unpack(gate);
        ups[m][h].unpack(up);
#pragma unroll
        for (int e = 0; e < VEC; e++) {
          gate[e] = silu(gate[e]) * up[e];
        }
        if (part.isRow(m, h)) {
          Vector::of(gate).store(output + (long long)part.row(m, h) * WIDTH + part.column);
        }
      }
    }
  }
}
