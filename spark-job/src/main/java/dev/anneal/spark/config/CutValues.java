package dev.anneal.spark.config;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.spark.BadRequestException;
import dev.anneal.training.io.Excerpt;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Values that YAML cuts at a {@code #} behind a space, where somebody means a name with one: in an
 * option, which has no comments, and in a location where the comment would begin without a space.
 */
final class CutValues {
  private static final Pattern LINE =
      Pattern.compile("\\s*([A-Za-z_.]+):\\s+(([^\\s'\"#|>][^#]*?)\\s+#[^\\s#].*)");

  private CutValues() {}

  /**
   * Refuses an option.
   *
   * @param yaml as it was given
   * @param value as YAML reads it
   */
  static void refuse(String yaml, JsonNode value, String origin) {
    int hash = yaml.indexOf(" #");
    if (hash >= 0 && value.isTextual() && !value.textValue().contains("#")) {
      throw cut(origin, value.textValue());
    }
  }

  /**
   * Refuses a file of which a location is there as it stands before YAML cuts it; a note for each
   * that may have been meant so.
   *
   * @param workingFolder what relative paths are relative to
   */
  static List<String> refuse(String yaml, String name, Path workingFolder) {
    List<String> notes = new ArrayList<>();
    List<String> lines = yaml.lines().toList();
    for (int i = 0; i < lines.size(); i++) {
      Matcher line = LINE.matcher(lines.get(i));
      if (!line.matches() || !isLocation(line.group(1))) {
        continue;
      }
      String where = "%s line %s: %s".formatted(name, i + 1, line.group(1));
      if (isThere(line.group(2).stripTrailing(), workingFolder)) {
        throw cut(where, line.group(3));
      }
      notes.add(
          "%s is '%s', since what stands behind a '#' is a comment in YAML: put quotes around the whole value where it is a part of the name."
              .formatted(where, Excerpt.of(line.group(3))));
    }
    return notes;
  }

  private static boolean isThere(String location, Path workingFolder) {
    try {
      return (!Locations.isUri(location) || Locations.isLocal(location))
          && Files.exists(workingFolder.resolve(Locations.localPath(location)));
    } catch (InvalidPathException e) {
      return false;
    }
  }

  private static boolean isLocation(String key) {
    String field = key.substring(key.lastIndexOf('.') + 1);
    return ConfigSchema.keys().stream()
        .anyMatch(known -> known.kind() == ConfigKey.Kind.LOCATION && known.field().equals(field));
  }

  private static BadRequestException cut(String where, String value) {
    return new BadRequestException(
        "%s is '%s', since what stands behind a '#' is a comment in YAML: put quotes around the whole value, or a space behind the '#'."
            .formatted(where, Excerpt.of(value)));
  }
}
