package dev.anneal.training.kernel;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The CUDA sources and the macros that each is specialized with, in the order of their values. */
enum KernelSource {
  RMS_NORM("rms_norm", "REAL VEC WIDTH THREADS BLOCKS ADD QUANTIZE"),
  RMS_NORM_BACKWARD("rms_norm_backward", "REAL VEC WIDTH THREADS BLOCKS COLUMN_SCALE"),
  ROPE("rope", "REAL VEC WIDTH"),
  ROPE_BACKWARD(
      "rope_backward", "REAL VEC WIDTH THREADS BLOCKS HEAD_DIM HEADS KV_HEADS COLUMN_SCALE"),
  SWIGLU("swiglu", "REAL VEC WIDTH THREADS BLOCKS QUANTIZE"),
  SWIGLU_BACKWARD("swiglu_backward", "REAL VEC WIDTH THREADS BLOCKS KEEP COLUMN_SCALE"),
  QUANTIZE("quantize", "REAL VEC WIDTH THREADS BLOCKS COLUMN_SCALE"),
  TRANSPOSE_16("transpose16", ""),
  TRANSPOSE_1("transpose1", ""),
  CROSS_ENTROPY("cross_entropy", "REAL VEC THREADS"),
  ADAM_W("adamw", "COMPUTE VEC");

  /** What the sources include. */
  static final List<String> HEADERS = List.of("vectors.cuh", "rows.cuh");

  private final String function;
  private final String macros;

  KernelSource(String function, String macros) {
    this.function = function;
    this.macros = macros;
  }

  /** The kernel's name in its file. */
  String function() {
    return function;
  }

  List<String> macros() {
    return macros.isEmpty() ? List.of() : List.of(macros.split(" ", -1));
  }

  String file() {
    return switch (this) {
      case TRANSPOSE_16, TRANSPOSE_1 -> "transpose.cu";
      default -> function + ".cu";
    };
  }

  String text() {
    return resource(file());
  }

  static String resource(String name) {
    try (InputStream in = KernelSource.class.getResourceAsStream(name)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
