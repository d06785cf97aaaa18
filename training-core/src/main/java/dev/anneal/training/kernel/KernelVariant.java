package dev.anneal.training.kernel;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * A kernel as it is compiled for certain shapes.
 *
 * @param function its name in its file, which is the file's too but for the transposes
 * @param macros names and values in turns
 */
record KernelVariant(String function, List<Object> macros) {
  /** What the sources include. */
  static final List<String> HEADERS = List.of("numbers.cuh", "vectors.cuh", "rows.cuh");

  /** The compiler's definitions. */
  List<String> definitions() {
    List<String> definitions = new ArrayList<>();
    for (int i = 0; i < macros.size(); i += 2) {
      definitions.add("-D" + macros.get(i) + "=" + macros.get(i + 1));
    }
    return definitions;
  }

  /**
   * The chips that it is compiled for.
   *
   * @param capability 90 for 9.0, and for what is compatible with it
   */
  String architecture(int capability) {
    // what Hopper's tensor cores are told is for it alone
    return "sm_" + capability + (function.equals(LowRankKernel.FUNCTION) ? "a" : "");
  }

  String file() {
    return function.startsWith("transpose") ? "transpose.cu" : function + ".cu";
  }

  String text() {
    return resource(file());
  }

  static String resource(String name) {
    try (InputStream in = KernelVariant.class.getResourceAsStream(name)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public String toString() {
    return function + definitions();
  }
}
