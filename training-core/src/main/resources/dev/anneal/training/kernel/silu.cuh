// The arithmetic of SwiGLU, which all its kernels share, so that they agree to the bit.

DEVICE float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

DEVICE float silu(float x) { return x * sigmoid(x); }

// An element's gradients take the places of gate and up, and its output that of dOutput.
DEVICE void swigluBackward(float& dOutput, float& gate, float& up) {
  const float s = sigmoid(gate);
  const float y = gate * s;
  const float dGate = dOutput * up * (s + y * (1.0f - s));
  const float output = y * up;
  up = dOutput * y;
  gate = dGate;
  dOutput = output;
}
