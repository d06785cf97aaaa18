package dev.anneal.training.lora;

import java.io.Serializable;
import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which modules get an adapter, in PEFT's terms.
 *
 * @param names its {@code target_modules}
 * @param excluded its {@code exclude_modules}
 * @param layers its {@code layers_to_transform}: only those, of names that are not whole; empty for
 *     all
 */
public record TargetModules(ModuleNames names, ModuleNames excluded, List<Integer> layers)
    implements Serializable {
  private static final Pattern LAYER = Pattern.compile("model\\.layers\\.(\\d+)\\..*");

  public TargetModules {
    layers = List.copyOf(layers);
  }

  /** Those that {@code names} mean, in every layer. */
  public static TargetModules of(ModuleNames names) {
    return new TargetModules(names, new ModuleNames.Listed(List.of()), List.of());
  }

  /** Those of these names, in every layer. */
  public static TargetModules named(List<String> names) {
    return of(ModuleNames.listed(names));
  }

  /** The listed names, or the regular expression. */
  List<String> display() {
    return names instanceof ModuleNames.Listed listed
        ? listed.names()
        : List.of(((ModuleNames.Matching) names).regex());
  }

  /** Whether the module of a name gets one. */
  Predicate<String> predicate() {
    Predicate<String> meant = names.predicate();
    return excluded.predicate().negate().and(meant).and(this::isInLayers);
  }

  private boolean isInLayers(String module) {
    if (layers.isEmpty()
        || (names instanceof ModuleNames.Listed listed && listed.names().contains(module))) {
      return true;
    }
    Matcher layer = LAYER.matcher(module);
    return layer.matches() && layers.contains(Integer.valueOf(layer.group(1)));
  }
}
