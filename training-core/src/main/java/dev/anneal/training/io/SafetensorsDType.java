package dev.anneal.training.io;

/**
 * Element types of a safetensors file, by the names that its header uses.
 *
 * @see <a href="https://github.com/huggingface/safetensors#format">The format</a>
 */
public enum SafetensorsDType {
  F64(8),
  F32(4),
  F16(2),
  BF16(2),
  F8_E4M3(1),
  F8_E5M2(1),
  I64(8),
  I32(4),
  I16(2),
  I8(1),
  U64(8),
  U32(4),
  U16(2),
  U8(1),
  BOOL(1);

  private final int bytes;

  SafetensorsDType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** Whether weights are read from it: F32, F16 or BF16. */
  public boolean isWeight() {
    return this == F32 || this == F16 || this == BF16;
  }
}
