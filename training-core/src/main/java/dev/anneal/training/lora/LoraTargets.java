package dev.anneal.training.lora;

import static java.util.stream.Collectors.joining;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.model.LinearModule;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Which linear modules the names in a recipe or an adapter mean. */
public final class LoraTargets {

  /** PEFT's word for every linear module of the decoder layers. */
  static final String ALL_LINEAR = "all-linear";

  private LoraTargets() {}

  /**
   * The modules that {@code names} mean, in the order of {@link LinearModule}.
   *
   * @param names module names such as {@code q_proj}, or {@code all-linear}
   * @throws InvalidModelException if there is no name, or one that matches nothing
   */
  public static Set<LinearModule> resolve(List<String> names) {
    if (names.isEmpty()) {
      throw new InvalidModelException(
          "LoRA has no target modules; choose among %s.".formatted(known()));
    }
    Set<LinearModule> targets = EnumSet.noneOf(LinearModule.class);
    for (String name : names) {
      targets.addAll(resolve(name));
    }
    return Collections.unmodifiableSet(targets);
  }

  private static Set<LinearModule> resolve(String name) {
    if (name.equals(ALL_LINEAR)) {
      return EnumSet.allOf(LinearModule.class);
    }
    for (LinearModule module : LinearModule.values()) {
      if (module.moduleName().equals(name)) {
        return EnumSet.of(module);
      }
    }
    throw new InvalidModelException(
        "LoRA target module '%s' matches no linear module of a Llama; choose among %s."
            .formatted(name, known()));
  }

  private static String known() {
    return Arrays.stream(LinearModule.values())
        .map(LinearModule::moduleName)
        .collect(joining(", ", "", " or " + ALL_LINEAR));
  }
}
