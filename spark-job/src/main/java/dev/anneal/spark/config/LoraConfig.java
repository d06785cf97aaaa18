package dev.anneal.spark.config;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.training.lora.ModuleNames;
import dev.anneal.training.model.LinearModule;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * The adapter: the section {@code lora} of {@link AnnealConfig}.
 *
 * @param useDora whether the lengths of weights' rows are trained apart from their directions
 * @param loraplusLrRatio learning rate of B over that of A
 */
public record LoraConfig(
    int r,
    double alpha,
    double dropout,
    boolean useRslora,
    boolean useDora,
    Modules modules,
    double loraplusLrRatio,
    Start start)
    implements Serializable {

  /** A PEFT adapter folder to start from; {@code null}: a new adapter. */
  public String initFrom() {
    return start.initFrom();
  }

  /**
   * What an adapter begins as.
   *
   * @param init {@code default}, or {@code pissa} in PEFT's ways of writing it
   * @param initFrom a PEFT adapter folder to start from; {@code null}: a new adapter
   */
  public record Start(String init, String initFrom) implements Serializable {}

  /**
   * Which modules get an adapter, and which.
   *
   * @param targetModules a list of names, or a text as PEFT takes it
   * @param rankPattern other ranks by regular expressions for the ends of names, in their order
   * @param alphaPattern other alphas in the same way
   */
  public record Modules(
      JsonNode targetModules, Map<String, Integer> rankPattern, Map<String, Double> alphaPattern)
      implements Serializable {
    private static final LinearModule[] LINEAR = LinearModule.values();

    /**
     * Which modules get an adapter.
     *
     * @throws dev.anneal.training.InvalidModelException if it is a regular expression that is not
     *     understood
     */
    public ModuleNames names() {
      return names(targetModules);
    }

    private static ModuleNames names(JsonNode given) {
      if (given.isTextual()) {
        return ModuleNames.text(given.textValue());
      }
      List<String> names = new ArrayList<>();
      given.forEach(name -> names.add(name.asText()));
      return ModuleNames.listed(names);
    }

    /** {@code target_modules} as text, the same for all ways to write the same names. */
    static String identity(JsonNode given) {
      if (!(names(given) instanceof ModuleNames.Listed listed)) {
        return given.asText();
      }
      return listed.names().stream()
          .sorted(Comparator.comparingInt(Modules::place).thenComparing(name -> name))
          .map(name -> place(name) < LINEAR.length ? LINEAR[place(name)].name() : name)
          .toList()
          .toString();
    }

    private static int place(String name) {
      return (int)
          Arrays.stream(LINEAR).takeWhile(module -> !module.moduleName().equals(name)).count();
    }
  }
}
