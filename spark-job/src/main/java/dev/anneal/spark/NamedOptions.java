package dev.anneal.spark;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Options that a program gives by their names; those with a dot are keys of the configuration. */
public final class NamedOptions {
  private final Map<String, ?> options;

  private NamedOptions(Map<String, ?> options) {
    this.options = options;
  }

  /**
   * Takes options.
   *
   * @param names that there are
   * @param keys whether keys of the configuration are taken too
   * @param unknown the sentence for another one, with places for its name and for all names
   * @throws BadRequestException naming an option that is unknown
   */
  public static NamedOptions of(
      Map<String, ?> options, List<String> names, boolean keys, String unknown) {
    for (String option : options.keySet()) {
      if (!names.contains(option) && !(keys && isKey(option))) {
        throw new BadRequestException(unknown.formatted(option, String.join(", ", names)));
      }
    }
    return new NamedOptions(options);
  }

  private static boolean isKey(String option) {
    return option.indexOf('.') >= 0;
  }

  /** The value of an option as a text; {@code null} where it is not given. */
  public String text(String name) {
    Object value = options.get(name);
    return value == null ? null : value.toString();
  }

  /** Same as {@link #text(String)}, with a value for one that is not given. */
  public String text(String name, String missing) {
    String value = text(name);
    return value == null ? missing : value;
  }

  /** The texts of an option that takes one or a list; none where it is not given. */
  public List<String> texts(String name) {
    Object value = options.get(name);
    if (value == null) {
      return List.of();
    }
    return value instanceof List<?> texts
        ? texts.stream().map(String::valueOf).toList()
        : List.of(value.toString());
  }

  /** Keys of the configuration, with their values. */
  public Map<String, Object> keys() {
    Map<String, Object> keys = new HashMap<>();
    options.forEach(
        (name, value) -> {
          if (isKey(name)) {
            keys.put(name, value);
          }
        });
    return keys;
  }
}
