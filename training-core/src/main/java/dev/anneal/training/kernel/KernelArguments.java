package dev.anneal.training.kernel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/** The arguments of a launch, in memory that is used again: the driver copies them. */
final class KernelArguments {
  private static final int MOST = 16;

  private final ByteBuffer values =
      ByteBuffer.allocateDirect(MOST * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private final ByteBuffer table =
      ByteBuffer.allocateDirect(MOST * Long.BYTES).order(ByteOrder.nativeOrder());
  private final PointerPointer<Pointer> addresses = new PointerPointer<>(new Pointer(table));

  KernelArguments() {
    long address = new Pointer(values).address();
    for (int i = 0; i < MOST; i++) {
      table.putLong(address + (long) i * Long.BYTES);
    }
  }

  KernelArguments clear() {
    values.clear();
    return this;
  }

  /** An address of the device's memory, or an integer: a 32-bit one is its lower half. */
  KernelArguments add(long value) {
    values.putLong(value);
    return this;
  }

  /** The bytes' and the scales' address, or 0 twice for {@code null}. */
  KernelArguments add(Quantized quantized) {
    return quantized == null
        ? add(0L).add(0L)
        : add(Operand.address(quantized.bytes())).add(Operand.address(quantized.scale()));
  }

  /** Narrowed to fp32. */
  KernelArguments add(double value) {
    values.putLong(Float.floatToRawIntBits((float) value));
    return this;
  }

  /** Where each argument is. */
  PointerPointer<Pointer> addresses() {
    return addresses;
  }
}
