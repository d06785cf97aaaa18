package dev.anneal.spark.cli;

import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigContext;
import dev.anneal.spark.config.ConfigLoader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import picocli.CommandLine.Option;

/** The options that give a configuration. */
final class ConfigOptions {

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "The configuration, in YAML: a path or any Hadoop URI.")
  private String config;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = "Overrides one key; the value is YAML; the last one wins.")
  private List<String> sets = new ArrayList<>();

  /** Whether there are none. */
  boolean areMissing() {
    return config == null && sets.isEmpty();
  }

  AnnealConfig load() {
    return load(Map.of(), note -> {});
  }

  /**
   * The configuration with values that decide over it.
   *
   * @param without what holds where no file is named, before the options, as they are written
   * @param values by key
   */
  AnnealConfig load(List<String> without, Map<String, ?> values) {
    ConfigLoader loader = new ConfigLoader(ConfigContext.ofProcess()).file(config);
    if (config == null) {
      loader.sets(without);
    }
    return loader.sets(sets).values(values).load();
  }

  /**
   * The configuration.
   *
   * @param values by key, which decide over it
   * @param say told what somebody should look at in it
   */
  AnnealConfig load(Map<String, ?> values, Consumer<String> say) {
    ConfigLoader loader =
        new ConfigLoader(ConfigContext.ofProcess()).file(config).sets(sets).values(values);
    AnnealConfig loaded = loader.load();
    loader.notes().forEach(say);
    return loaded;
  }
}
