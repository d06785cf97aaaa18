package dev.anneal.data.hub;

import dev.anneal.data.error.InvalidDataException;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Which files of a repository are wanted, as the hub's own client chooses: a file is that matches
 * one of the patterns of {@code include}, or where there are none, and none of {@code exclude}. A
 * {@code *} also stands for slashes, and a pattern that ends with a slash names a folder.
 */
public record HubSelection(List<String> include, List<String> exclude) {
  /** All files. */
  public static final HubSelection ALL = new HubSelection(List.of(), List.of());

  /** Keeps copies. */
  public HubSelection {
    include = List.copyOf(include);
    exclude = List.copyOf(exclude);
  }

  /** The files that are wanted, in their order. */
  public List<HubFile> of(List<HubFile> files) {
    List<Pattern> wanted = patterns(include);
    List<Pattern> unwanted = patterns(exclude);
    return files.stream()
        .filter(file -> wanted.isEmpty() || matches(wanted, file.path()))
        .filter(file -> !matches(unwanted, file.path()))
        .toList();
  }

  private static List<Pattern> patterns(List<String> globs) {
    return globs.stream().map(HubSelection::pattern).toList();
  }

  private static boolean matches(List<Pattern> patterns, String path) {
    return patterns.stream().anyMatch(pattern -> pattern.matcher(path).matches());
  }

  // Python's fnmatch
  private static Pattern pattern(String given) {
    String glob = given.endsWith("/") ? given + "*" : given;
    StringBuilder regex = new StringBuilder();
    for (int i = 0; i < glob.length(); i++) {
      char c = glob.charAt(i);
      int close = c == '[' ? glob.indexOf(']', i + 2) : -1;
      if (c == '*') {
        regex.append(".*");
      } else if (c == '?') {
        regex.append('.');
      } else if (close > 0) {
        String set = glob.substring(i + 1, close);
        boolean not = set.startsWith("!");
        String quoted = (not ? set.substring(1) : set).replaceAll("[\\\\\\[\\]^&]", "\\\\$0");
        regex.append(not ? "[^" : "[").append(quoted).append(']');
        i = close;
      } else {
        regex.append(Pattern.quote(String.valueOf(c)));
      }
    }
    try {
      return Pattern.compile(regex.toString(), Pattern.DOTALL);
    } catch (PatternSyntaxException e) {
      throw new InvalidDataException(
          "'%s' is no pattern of file names: look at what stands in its brackets.".formatted(given),
          e);
    }
  }
}
