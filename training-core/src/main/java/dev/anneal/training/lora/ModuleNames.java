package dev.anneal.training.lora;

import dev.anneal.training.model.LinearModule;
import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * Which modules a setting of PEFT means, by their names in the model, such as {@code
 * model.layers.0.self_attn.q_proj}.
 *
 * @see <a
 *     href="https://github.com/huggingface/peft/blob/main/src/peft/tuners/tuners_utils.py">PEFT,
 *     {@code check_target_module_exists}</a>
 */
public sealed interface ModuleNames extends Serializable {
  /** PEFT's word for every linear module of the decoder layers. */
  String ALL_LINEAR = "all-linear";

  /** Whether a name is meant. */
  Predicate<String> predicate();

  /**
   * A list of names, or {@code all-linear} for those of all linear modules.
   *
   * @param names whole ones, or their ends behind a dot: {@code q_proj}, {@code 0.mlp.up_proj}
   */
  static Listed listed(List<String> names) {
    return new Listed(
        names.stream()
            .flatMap(
                name ->
                    name.equals(ALL_LINEAR)
                        ? Arrays.stream(LinearModule.values()).map(LinearModule::moduleName)
                        : Stream.of(name))
            .distinct()
            .toList());
  }

  /**
   * What a text means: {@code all-linear}, or a regular expression.
   *
   * @throws dev.anneal.training.InvalidModelException if it is none that is understood
   */
  static ModuleNames text(String text) {
    return text.toLowerCase(Locale.ROOT).equals(ALL_LINEAR)
        ? listed(List.of(ALL_LINEAR))
        : new Matching(text);
  }

  /** Whole names, or their ends behind a dot. */
  record Listed(List<String> names) implements ModuleNames {
    public Listed {
      names = List.copyOf(names);
    }

    @Override
    public Predicate<String> predicate() {
      return module -> names.stream().anyMatch(name -> means(name, module));
    }

    static boolean means(String name, String module) {
      return module.equals(name) || module.endsWith("." + name);
    }
  }

  /** Whole names by a regular expression, as {@code re.fullmatch} takes it. */
  record Matching(String regex) implements ModuleNames {
    public Matching {
      PythonPattern.compile(regex);
    }

    @Override
    public Predicate<String> predicate() {
      return PythonPattern.compile(regex).asMatchPredicate();
    }
  }
}
