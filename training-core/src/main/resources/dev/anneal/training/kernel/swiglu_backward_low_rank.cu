// gateUp [rows, 2 WIDTH] becomes the gradient of swiglu's input, dOutput [rows, WIDTH] its output, as
// swiglu_backward.cu has it; both come without their low-rank parts: GATE, UP and OUTPUT (0 or 1) say
// which of gate, up and dOutput has one.
//
// Bytes a row: 12 WIDTH (gate, up, dOutput, each twice). Grid: see low_rank.cuh; blocks of 128.
#include "low_rank.cuh"

extern "C" __global__ void __launch_bounds__(128, 3)
    swiglu_backward_low_rank(bf16* dOutput, bf16* gateUp, int rows,                         //
                             const bf16* gateLow, int gateStride,                     //
                             const bf16* gateFactor, float gateScale,                       //
                             const bf16* upLow, int upStride, const bf16* upFactor,   //
                             float upScale,                                                 //
                             const bf16* dOutputLow, int dOutputStride,               //
                             const bf16* dOutputFactor, float dOutputScale) {
  for (int step = 0; step < STEPS; step++) {
    const Part part = Part::of(step, rows);
    if (part.isOutside()) {
      return;
    }
    Vector gates[2][2], ups[2][2], dOutputs[2][2];
    read(gateUp, 2 * WIDTH, part, gates);
    read(gateUp + WIDTH, 2 * WIDTH, part, ups);
#if GATE
    addLowRank(gateLow, gateStride, gateFactor, gateScale, part, gates);
#endif
    read(dOutput, WIDTH, part, dOutputs);
#if UP
    addLowRank(upLow, upStride, upFactor, upScale, part, ups);
#endif
#if OUTPUT
    addLowRank(dOutputLow, dOutputStride, dOutputFactor, dOutputScale, part, dOutputs);
#endif
#pragma unroll
    for (int m = 0; m < 2; m++) {
#pragma unroll
      for (int h = 0; h < 2; h++) {
        float dy[VEC], gate[VEC], up[VEC];
        dOutputs[m][h].unpack(dy);
        gates[m][h].unpack(gate);
        ups[m][h].unpack(up);
#pragma unroll
        for (int e = 0; e < VEC; e++) {
          swigluBackward(dy[e], gate[e], up[e]);
        }
        if (part.isRow(m, h)) {
          const long long row = (long long)part.row(m, h) * WIDTH + part.column;
          bf16* to = gateUp + (long long)part.row(m, h) * 2 * WIDTH + part.column;
          Vector::of(dy).store(dOutput + row);
          Vector::of(gate).store(to);
          Vector::of(up).store(to + WIDTH);
        }
      }
    }
  }
}
