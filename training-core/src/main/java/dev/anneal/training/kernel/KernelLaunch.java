package dev.anneal.training.kernel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * A kernel that is about to start: the macros that it is compiled with, by name, and its arguments
 * in order. One serves all launches of a thread, since the driver copies the arguments.
 */
final class KernelLaunch {
  private static final int MOST_ARGUMENTS = 16;

  private final KernelLauncher launcher;
  private final ByteBuffer values =
      ByteBuffer.allocateDirect(MOST_ARGUMENTS * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private final ByteBuffer table =
      ByteBuffer.allocateDirect(MOST_ARGUMENTS * Long.BYTES).order(ByteOrder.nativeOrder());
  private final PointerPointer<Pointer> addresses = new PointerPointer<>(new Pointer(table));
  private final List<Object> macros = new ArrayList<>();
  private String function;

  KernelLaunch(KernelLauncher launcher) {
    this.launcher = launcher;
    long address = new Pointer(values).address();
    for (int i = 0; i < MOST_ARGUMENTS; i++) {
      table.putLong(address + (long) i * Long.BYTES);
    }
  }

  KernelLaunch of(String function) {
    this.function = function;
    macros.clear();
    values.clear();
    return this;
  }

  KernelLaunch define(String macro, Object value) {
    macros.add(macro);
    macros.add(value);
    return this;
  }

  /** A macro that is 1 or 0. */
  KernelLaunch define(String macro, boolean on) {
    return define(macro, (Object) (on ? 1 : 0));
  }

  /** VEC, WIDTH, THREADS and BLOCKS. */
  KernelLaunch define(RowPlan plan) {
    return define("VEC", plan.vector())
        .define("WIDTH", plan.width())
        .define("THREADS", plan.threads())
        .define("BLOCKS", plan.blocks());
  }

  /** An address of the device's memory, or an integer: a 32-bit one is its lower half. */
  KernelLaunch add(long value) {
    values.putLong(value);
    return this;
  }

  /** The bytes' and the scales' address, or 0 twice for {@code null}. */
  KernelLaunch add(Quantized quantized) {
    return quantized == null
        ? add(0L).add(0L)
        : add(Operand.address(quantized.bytes())).add(Operand.address(quantized.scale()));
  }

  /** Narrowed to fp32. */
  KernelLaunch add(double value) {
    values.putLong(Float.floatToRawIntBits((float) value));
    return this;
  }

  /** Starts {@code blocks} blocks of {@code threads}; none is nothing to do. */
  void run(long blocks, int threads) {
    run(blocks, 1, threads, 1);
  }

  /** Starts a grid of {@code columns x rows} blocks of {@code x * y} threads. */
  void run(long columns, long rows, int x, int y) {
    if (columns > 0 && rows > 0) {
      // a key that is looked up need not be a copy
      KernelVariant variant = new KernelVariant(function, macros);
      launcher.launch(variant, columns, rows, x, y, addresses);
    }
  }
}
