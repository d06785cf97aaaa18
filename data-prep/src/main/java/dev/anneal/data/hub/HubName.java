package dev.anneal.data.hub;

import dev.anneal.data.error.InvalidDataException;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.GlobPattern;

/**
 * {@code hub:datasets/<org>/<name>[@<revision>][/<path or glob>]}.
 *
 * @param repository a data set
 * @param revision branch, tag or commit; slashes in it are written as {@code %2F}
 * @param glob of the files that are wanted; null for those that look like the training split
 */
record HubName(HubRepository repository, String revision, String glob) {
  static final String SCHEME = "hub:";

  private static final String ORG_AND_NAME = HubRepository.WORD + "/" + HubRepository.WORD;
  private static final Pattern NAME =
      Pattern.compile("hub:datasets/(" + ORG_AND_NAME + ")(?:@([^/@]+))?(?:/(.+))?");
  private static final Pattern DATA_FILE =
      Pattern.compile(".*\\.(json|jsonl|ndjson|parquet|arrow|csv|tsv)(\\.gz)?");
  private static final Pattern TRAIN = part("train");
  private static final Pattern HELD_BACK = part("test|validation|valid|val|eval|dev");
  private static final List<String> DESCRIPTIONS =
      List.of("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json");

  static HubName parse(String source) {
    Matcher name = NAME.matcher(source);
    if (!name.matches()) {
      throw new InvalidDataException(
          "data.source '"
              + source
              + "' is not a data set of the hub: write hub:datasets/ORG/NAME, and behind it"
              + " @REVISION and /PATH if needed.");
    }
    return new HubName(
        new HubRepository(HubRepository.Type.DATASET, name.group(1)),
        name.group(2) == null ? "main" : name.group(2).replaceAll("(?i)%2f", "/"),
        name.group(3));
  }

  /**
   * The files that are wanted: what the glob names; else the data files of the training split,
   * where file or folder names tell one; else all data files but those of other splits.
   */
  List<HubFile> choose(List<HubFile> files) {
    if (glob != null) {
      GlobPattern pattern = new GlobPattern(glob);
      return matching(files, path -> path.startsWith(glob + "/") || pattern.matches(path));
    }
    List<HubFile> data = matching(files, HubName::isData);
    List<HubFile> train = matching(data, path -> TRAIN.matcher(lower(path)).find());
    return train.isEmpty() ? matching(data, path -> !HELD_BACK.matcher(lower(path)).find()) : train;
  }

  private static List<HubFile> matching(List<HubFile> files, Predicate<String> wanted) {
    return files.stream().filter(file -> wanted.test(file.path())).toList();
  }

  private static boolean isData(String path) {
    String name = path.substring(path.lastIndexOf('/') + 1);
    return DATA_FILE.matcher(lower(name)).matches()
        && !name.startsWith(".")
        && !DESCRIPTIONS.contains(name);
  }

  private static Pattern part(String words) {
    return Pattern.compile("(^|[/._-])(" + words + ")([/._-]|$)");
  }

  private static String lower(String path) {
    return path.toLowerCase(Locale.ROOT);
  }
}
