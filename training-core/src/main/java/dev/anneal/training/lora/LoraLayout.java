package dev.anneal.training.lora;

import static java.util.stream.Collectors.joining;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.Excerpt;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.config.LlamaConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Which linear modules of a model get an adapter, and which.
 *
 * @param spec what it comes of
 * @param layers the adapters of every decoder layer, in the order of {@link LinearModule}; there
 *     may be none in a layer
 */
public record LoraLayout(LoraSpec spec, List<Map<LinearModule, Adapter>> layers) {

  /**
   * The adapter of one module.
   *
   * @param r rank
   * @param scale factor of its output
   */
  public record Adapter(int r, double alpha, double scale) {}

  public LoraLayout {
    layers = layers.stream().map(Collections::unmodifiableMap).toList();
  }

  /**
   * What {@code spec} comes to in a model of shape {@code config}.
   *
   * @throws InvalidModelException if it names no module, one that is not there, or one that is not
   *     a linear module of a decoder layer
   */
  public static LoraLayout of(LoraSpec spec, LlamaConfig config) {
    Predicate<String> targets = spec.targetModules().predicate();
    checkNames(spec.targetModules().names(), config);
    checkOthers(targets, config);
    Function<String, Optional<Integer>> ranks = lookup(spec.rankPattern());
    Function<String, Optional<Double>> alphas = lookup(spec.alphaPattern());
    List<Map<LinearModule, Adapter>> layers = new ArrayList<>();
    for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
      Map<LinearModule, Adapter> adapters = new EnumMap<>(LinearModule.class);
      for (LinearModule module : LinearModule.values()) {
        String name = module.path(layer);
        if (targets.test(name)) {
          int r = ranks.apply(name).orElse(spec.r());
          double alpha = alphas.apply(name).orElse(spec.alpha());
          adapters.put(module, new Adapter(r, alpha, spec.scale(r, alpha)));
        }
      }
      layers.add(adapters);
    }
    if (layers.stream().allMatch(Map::isEmpty)) {
      throw new InvalidModelException(
          "LoRA target modules '%s' match no linear module of this Llama; put names into a list, choosing among %s, or match whole names such as %s."
              .formatted(
                  Excerpt.of(String.join(", ", spec.targetModules().display())),
                  known(),
                  LinearModule.Q_PROJ.path(0)));
    }
    return new LoraLayout(spec, layers);
  }

  /** No module of a model of shape {@code config} has one. */
  public static LoraLayout none(LlamaConfig config) {
    return none(config, LoraVariant.PLAIN);
  }

  /** The same of a variant. */
  public static LoraLayout none(LlamaConfig config, LoraVariant variant) {
    LoraSpec nothing = new LoraSpec(1, 1, 0, false, List.of()).as(variant);
    return new LoraLayout(nothing, Collections.nCopies(config.numHiddenLayers(), Map.of()));
  }

  /** The value of the first regular expression that ends a module's name, as PEFT looks it up. */
  private static <T> Function<String, Optional<T>> lookup(Map<String, T> byPattern) {
    Map<Pattern, T> compiled = new LinkedHashMap<>();
    byPattern.forEach((key, value) -> compiled.put(PythonPattern.compileSuffix(key), value));
    return module ->
        compiled.entrySet().stream()
            .filter(entry -> entry.getKey().matcher(module).lookingAt())
            .map(Map.Entry::getValue)
            .findFirst();
  }

  private static void checkNames(ModuleNames names, LlamaConfig config) {
    if (!(names instanceof ModuleNames.Listed listed)) {
      return;
    }
    if (listed.names().isEmpty()) {
      throw new InvalidModelException(
          "LoRA has no target modules; choose among %s.".formatted(known()));
    }
    for (String name : listed.names()) {
      if (names(config).noneMatch(module -> ModuleNames.Listed.means(name, module))) {
        throw new InvalidModelException(
            "LoRA target module '%s' matches no linear module of a Llama; choose among %s."
                .formatted(name, known()));
      }
    }
  }

  private static void checkOthers(Predicate<String> targets, LlamaConfig config) {
    Optional<String> reached = others(config).filter(targets).findFirst();
    if (reached.isPresent()) {
      throw new InvalidModelException(
          "LoRA target modules reach %s, but Anneal adapts only the linear modules of decoder layers; choose among %s."
              .formatted(reached.get(), known()));
    }
  }

  private static Stream<String> names(LlamaConfig config) {
    Stream<String> linears =
        layers(config)
            .flatMap(
                layer -> Arrays.stream(LinearModule.values()).map(module -> module.path(layer)));
    return Stream.concat(linears, others(config));
  }

  /** The modules of a Llama in transformers that are not linear modules of its decoder layers. */
  private static Stream<String> others(LlamaConfig config) {
    Stream<String> inLayers =
        layers(config)
            .map(layer -> "model.layers." + layer)
            .flatMap(
                layer ->
                    Stream.of(
                        layer,
                        layer + ".self_attn",
                        layer + ".mlp",
                        layer + ".mlp.act_fn",
                        layer + ".input_layernorm",
                        layer + ".post_attention_layernorm"));
    return Stream.concat(
        Stream.of(
            "lm_head",
            "model.embed_tokens",
            "model.norm",
            "model.rotary_emb",
            "model",
            "model.layers"),
        inLayers);
  }

  private static Stream<Integer> layers(LlamaConfig config) {
    return IntStream.range(0, config.numHiddenLayers()).boxed();
  }

  private static String known() {
    return Arrays.stream(LinearModule.values())
        .map(LinearModule::moduleName)
        .collect(joining(", ", "", " or " + ModuleNames.ALL_LINEAR));
  }

  /**
   * Checks that every key of {@code rank_pattern} and {@code alpha_pattern} concerns a module.
   *
   * @throws InvalidModelException naming the first that does not
   */
  public void requirePatternsUsed() {
    for (String key : keysOfPatterns()) {
      Pattern pattern = PythonPattern.compileSuffix(key);
      if (adapted().noneMatch(name -> pattern.matcher(name).lookingAt())) {
        throw new InvalidModelException(
            "lora.rank_pattern or lora.alpha_pattern has '%s', which matches no module that gets an adapter; correct it or leave it out."
                .formatted(key));
      }
    }
  }

  private Set<String> keysOfPatterns() {
    Set<String> keys = new HashSet<>(spec.rankPattern().keySet());
    keys.addAll(spec.alphaPattern().keySet());
    return keys;
  }

  private Stream<String> adapted() {
    return Arrays.stream(LinearModule.values()).flatMap(this::adapted);
  }

  private Stream<String> adapted(LinearModule module) {
    return IntStream.range(0, layers.size())
        .filter(layer -> layers.get(layer).containsKey(module))
        .mapToObj(module::path);
  }

  /**
   * The adapters as they are published. PiSSA's have twice the rank, with the same scale, since
   * they make up for what was taken out of the weights ({@link FirstFactors}).
   */
  public LoraLayout published() {
    if (!(spec.variant() instanceof LoraVariant.Pissa)) {
      return this;
    }
    double factor = spec.rslora() ? Math.sqrt(2) : 2;
    LoraSpec twice =
        new LoraSpec(
            2 * spec.r(),
            factor * spec.alpha(),
            spec.dropout(),
            spec.rslora(),
            spec.targetModules(),
            Map.of(),
            Map.of());
    List<Map<LinearModule, Adapter>> doubled = new ArrayList<>();
    for (Map<LinearModule, Adapter> layer : layers) {
      Map<LinearModule, Adapter> adapters = new EnumMap<>(LinearModule.class);
      layer.forEach(
          (module, adapter) -> {
            double alpha = factor * adapter.alpha();
            int r = 2 * adapter.r();
            adapters.put(module, new Adapter(r, alpha, twice.scale(r, alpha)));
          });
      doubled.add(adapters);
    }
    return new LoraLayout(twice, doubled);
  }

  /**
   * Checks that no adapter has more of a weight's singular values than there are.
   *
   * @throws InvalidModelException naming the first that does, where they begin with them
   */
  public void requireSingularValues(LlamaConfig config) {
    if (!(spec.variant() instanceof LoraVariant.Pissa)) {
      return;
    }
    for (int layer = 0; layer < layers.size(); layer++) {
      for (var adapted : layers.get(layer).entrySet()) {
        LinearModule module = adapted.getKey();
        int most = Math.min(module.inFeatures(config), module.outFeatures(config));
        if (adapted.getValue().r() > most) {
          throw new InvalidModelException(
              "lora.init is pissa, which begins with %s singular values of %s, but that has %s: lower lora.r or lora.rank_pattern."
                  .formatted(adapted.getValue().r(), module.path(layer), most));
        }
      }
    }
  }

  /** All adapters. */
  public Stream<Adapter> adapters() {
    return layers.stream().map(Map::values).flatMap(Collection::stream);
  }

  /**
   * The same with every module, rank and alpha under a plain name, as PEFT of any version and
   * whatever reads only some of its forms take it.
   */
  public LoraSpec plain() {
    List<String> targets = new ArrayList<>();
    Map<String, Integer> ranks = new LinkedHashMap<>();
    Map<String, Double> alphas = new LinkedHashMap<>();
    for (LinearModule module : LinearModule.values()) {
      targets(module).forEach(targets::add);
      byName(module, Adapter::r).forEach((name, r) -> putUnless(spec.r(), ranks, name, r));
      byName(module, Adapter::alpha)
          .forEach((name, alpha) -> putUnless(spec.alpha(), alphas, name, alpha));
    }
    return new LoraSpec(
        spec.r(),
        spec.alpha(),
        spec.dropout(),
        spec.rslora(),
        TargetModules.named(targets),
        ranks,
        alphas,
        spec.variant());
  }

  private static <T> void putUnless(T usual, Map<String, T> map, String name, T value) {
    if (!value.equals(usual)) {
      map.put(name, value);
    }
  }

  /** A property of a module's adapters: under its short name where all have the same. */
  private <T> Map<String, T> byName(LinearModule module, Function<Adapter, T> property) {
    Map<String, T> values = new LinkedHashMap<>();
    for (int layer = 0; layer < layers.size(); layer++) {
      Adapter adapter = layers.get(layer).get(module);
      if (adapter != null) {
        values.put(module.path(layer), property.apply(adapter));
      }
    }
    Set<T> distinct = Set.copyOf(values.values());
    return distinct.size() == 1 ? Map.of(module.moduleName(), distinct.iterator().next()) : values;
  }

  private Stream<String> targets(LinearModule module) {
    return layers.stream().allMatch(adapters -> adapters.containsKey(module))
        ? Stream.of(module.moduleName())
        : adapted(module);
  }
}
