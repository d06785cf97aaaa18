package dev.anneal.training.kernel;

import java.util.ArrayList;
import java.util.List;

/**
 * A kernel as it is compiled for certain shapes.
 *
 * @param values of the source's macros, in their order
 */
record KernelVariant(KernelSource source, List<Object> values) {
  static KernelVariant of(KernelSource source, Object... values) {
    return new KernelVariant(source, List.of(values));
  }

  /** The compiler's definitions. */
  List<String> definitions() {
    List<String> macros = source.macros();
    if (values.size() != macros.size()) {
      throw new IllegalStateException(source + " takes " + macros + " and not " + values);
    }
    List<String> definitions = new ArrayList<>();
    for (int i = 0; i < macros.size(); i++) {
      definitions.add("-D" + macros.get(i) + "=" + values.get(i));
    }
    return definitions;
  }

  @Override
  public String toString() {
    return source.function() + definitions();
  }
}
