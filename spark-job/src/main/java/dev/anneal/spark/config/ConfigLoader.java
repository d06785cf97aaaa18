package dev.anneal.spark.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Redaction;
import dev.anneal.training.io.Excerpt;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Lays configuration files, values of a program and {@code --set} options over the defaults, in the
 * order of the calls; a later one wins. Texts may refer to other places, see {@link References};
 * what has been overridden is not looked up.
 */
public final class ConfigLoader {
  private static final YAMLMapper YAML =
      YAMLMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();
  private static final String PROGRAM = "the call";

  /**
   * Where no configuration says how a model is held that is asked: as transformers would on a CPU.
   */
  public static final List<String> ON_ONE_CPU =
      List.of(
          "cluster.nodes=1",
          "cluster.gpus_per_node=0",
          "base_weights.dtype=fp32",
          "base_weights.shard=none",
          "compute.dtype=fp32",
          "compute.matmul=fp32");

  private final ConfigContext context;
  private final ObjectNode tree = ConfigSchema.defaults();

  /** What refers to something, by key. */
  private final Map<String, Setting> open = new LinkedHashMap<>();

  private final List<String> notes = new ArrayList<>();
  private Optional<String> folder = Optional.empty();

  public ConfigLoader(ConfigContext context) {
    this.context = context;
  }

  /**
   * Loads a configuration in this process.
   *
   * @param file YAML; {@code null} for the defaults alone
   * @param sets see {@link #sets}
   * @param workingFolder what relative paths are relative to
   * @throws BadRequestException naming the first key that is unknown or has an unfit value
   */
  public static AnnealConfig load(Path file, List<String> sets, Path workingFolder) {
    ConfigLoader loader = new ConfigLoader(ConfigContext.ofProcess().in(workingFolder));
    return loader.file(file == null ? null : file.toString()).sets(sets).load();
  }

  /**
   * Lays a file over what there is.
   *
   * @param location YAML; a path or any Hadoop URI; {@code null} for none
   * @throws BadRequestException if it cannot be read, or naming what is wrong in it
   */
  public ConfigLoader file(String location) {
    if (location != null) {
      ConfigFile file = new ConfigReader(context).read(location);
      folder = file.folder();
      notes.addAll(CutValues.refuse(file.text(), file.name(), context.workingFolder()));
      overlay(parse(file.text(), file.name()), file.name());
    }
    return this;
  }

  /**
   * Lays options over what there is.
   *
   * @param sets {@code KEY=VALUE}, the value in YAML
   * @throws BadRequestException naming what is wrong
   */
  public ConfigLoader sets(List<String> sets) {
    sets.forEach(this::set);
    return this;
  }

  /**
   * Lays values over what there is.
   *
   * @param values by key, as {@code lora.r}; or a section's by its name
   * @throws BadRequestException naming what is wrong
   */
  public ConfigLoader values(Map<String, ?> values) {
    for (Map.Entry<String, ?> value : values.entrySet()) {
      overlay(keyed(value.getKey(), tree(value.getKey(), value.getValue())), PROGRAM);
    }
    return this;
  }

  /** What somebody should look at in files that were laid over, a sentence each. */
  public List<String> notes() {
    return List.copyOf(notes);
  }

  /**
   * The configuration.
   *
   * @throws BadRequestException naming the first key that refers to nothing, or to an unfit value
   */
  public AnnealConfig load() {
    References references = new References(context);
    for (Setting setting : open.values()) {
      put(setting.key(), referred(setting, references.resolve(setting.value(), setting)));
    }
    open.clear();
    resolveLocations();
    return ConfigMapper.toConfig(tree);
  }

  private void set(String set) {
    int equals = set.indexOf('=');
    boolean secret = equals > 0 && isNearASecret(set.substring(0, equals));
    String shown = secret ? set.substring(0, equals) + "=" + Redaction.MASK : set;
    String origin = "--set " + Excerpt.of(shown);
    if (equals < 1) {
      throw new BadRequestException(
          "%s has no value: write --set KEY=VALUE, as in --set training.max_steps=100."
              .formatted(origin));
    }
    JsonNode value = parse(set.substring(equals + 1), origin);
    if (!secret) {
      CutValues.refuse(set.substring(equals + 1), value, origin);
    }
    overlay(keyed(set.substring(0, equals), value), origin);
  }

  /** Also of a key that is mistyped. */
  private static boolean isNearASecret(String name) {
    String nearest = Suggestions.nearest(name);
    int dot = nearest.indexOf('.');
    return ConfigSchema.hasSecrets(dot < 0 ? nearest : nearest.substring(0, dot));
  }

  private static ObjectNode keyed(String key, JsonNode value) {
    ObjectNode root = YAML.createObjectNode();
    int dot = key.indexOf('.');
    if (dot < 0) {
      root.set(key, value);
    } else {
      root.putObject(key.substring(0, dot)).set(key.substring(dot + 1), value);
    }
    return root;
  }

  private static JsonNode tree(String key, Object value) {
    try {
      return YAML.valueToTree(value);
    } catch (IllegalArgumentException e) {
      throw new BadRequestException(
          "The value of %s in %s is no text, number, boolean, list or map: correct it."
              .formatted(Excerpt.of(key), PROGRAM),
          e);
    }
  }

  private static JsonNode parse(String yaml, String origin) {
    try {
      return parse(yaml);
    } catch (JsonProcessingException e) {
      String line = e.getLocation() == null ? "" : " line " + e.getLocation().getLineNr();
      throw new BadRequestException(
          "%s%s is not valid YAML (%s): correct it, or put quotes around a text."
              .formatted(
                  origin, line, Excerpt.of(e.getOriginalMessage().lines().findFirst().orElse(""))),
          e);
    }
  }

  private static JsonNode parse(String yaml) throws JsonProcessingException {
    JsonNode node = YAML.readTree(yaml);
    return node.isMissingNode() ? YAML.nullNode() : node;
  }

  private void overlay(JsonNode root, String origin) {
    if (root.isNull()) {
      return;
    }
    if (!root.isObject()) {
      throw new BadRequestException(
          "%s must hold sections such as 'model:' and 'training:', but holds %s."
              .formatted(origin, show(root)));
    }
    for (Map.Entry<String, JsonNode> section : root.properties()) {
      overlaySection(section.getKey(), section.getValue(), origin);
    }
  }

  private void overlaySection(String section, JsonNode fields, String origin) {
    if (!ConfigSchema.isSection(section)) {
      throw Suggestions.unknownKey(section, origin);
    }
    if (fields.isNull()) {
      return;
    }
    if (!fields.isObject()) {
      throw new BadRequestException(
          "%s in %s is %s, but must be a section with the keys %s."
              .formatted(
                  section,
                  origin,
                  ConfigSchema.hasSecrets(section) ? Redaction.MASK : show(fields),
                  ConfigSchema.fieldsOf(section)));
    }
    for (Map.Entry<String, JsonNode> field : fields.properties()) {
      String name = section + "." + field.getKey();
      ConfigKey key = ConfigSchema.key(name);
      if (key == null) {
        throw Suggestions.unknownKey(name, origin);
      }
      lay(new Setting(key, field.getValue(), origin, folder));
    }
  }

  private void lay(Setting setting) {
    open.remove(setting.key().name());
    if (References.areIn(setting.value())) {
      open.put(setting.key().name(), setting);
    } else {
      put(
          setting.key(),
          fit(setting, setting.value()).orElseThrow(() -> unfit(setting, setting.value())));
    }
  }

  /** What is referred to is a text; where the key asks for something else, it is read as YAML. */
  private static JsonNode referred(Setting setting, JsonNode value) {
    return fit(setting, value)
        .or(() -> value.isTextual() ? reread(setting, value.textValue()) : Optional.empty())
        .orElseThrow(() -> unfit(setting, value));
  }

  private static Optional<JsonNode> reread(Setting setting, String yaml) {
    try {
      return fit(setting, parse(yaml));
    } catch (JsonProcessingException e) {
      return Optional.empty();
    }
  }

  private static Optional<JsonNode> fit(Setting setting, JsonNode value) {
    return setting.key().rule().apply(value);
  }

  private static BadRequestException unfit(Setting setting, JsonNode value) {
    ConfigKey key = setting.key();
    String shown = key.kind() == ConfigKey.Kind.SECRET ? Redaction.MASK : show(value);
    return new BadRequestException(
        "%s in %s is %s, but must be %s."
            .formatted(key.name(), setting.origin(), shown, key.rule().expected()));
  }

  private void put(ConfigKey key, JsonNode value) {
    tree.withObjectProperty(key.section()).set(key.field(), value);
  }

  private void resolveLocations() {
    for (ConfigKey key : ConfigSchema.keys()) {
      JsonNode value = tree.path(key.section()).path(key.field());
      if (key.kind() == ConfigKey.Kind.LOCATION && value.isTextual()) {
        String location = value.textValue();
        requireNoSecret(key.name(), location);
        String place = Databricks.resolve(location, context.hadoop());
        String resolved = Locations.resolve(place, context.workingFolder());
        if (key.name().equals("output.path") && !Locations.canBeWritten(resolved)) {
          throw new BadRequestException(
              "output.path '%s' has a colon in a name, which Hadoop takes for the end of a scheme: choose another name."
                  .formatted(Excerpt.of(Locations.localPath(resolved))));
        }
        put(key, YAML.getNodeFactory().textNode(resolved));
      }
    }
  }

  /** What is in a location would be in messages, in the record of the run and in Spark's pages. */
  private static void requireNoSecret(String key, String location) {
    if (Redaction.carriesSecret(location)) {
      throw new BadRequestException(
          "%s holds a user name or a key in front of its host: take it out, and give credentials as Hadoop takes them, as in fs.s3a.access.key or the environment."
              .formatted(key));
    }
  }

  private static String show(JsonNode value) {
    return value.isTextual()
        ? "'" + Excerpt.of(value.textValue()) + "'"
        : Excerpt.of(value.toString());
  }
}
