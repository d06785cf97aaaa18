package dev.anneal.data.hub;

import java.io.IOException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Which part of a file an answer holds. */
record ContentRange(HttpAnswer answer) {
  private static final Pattern RANGE = Pattern.compile("bytes (\\d+)-\\d+/(\\d+|\\*)");

  /**
   * Where in the file it begins: where it was asked to, or at 0.
   *
   * @throws HubClient.ChangedException if the whole file is longer or shorter than it was listed
   */
  long require(HubFile file, long asked) throws IOException {
    if (answer.status() != 206) {
      if (answer.length() >= 0 && answer.length() != file.bytes()) {
        throw new HubClient.ChangedException(file.path());
      }
      return 0;
    }
    String header = answer.header("Content-Range").orElse("");
    Matcher range = RANGE.matcher(header);
    if (!range.matches() || Long.parseLong(range.group(1)) != asked) {
      throw new IOException(
          "'%s' came as '%s' and not from byte %s on".formatted(file.path(), header, asked));
    }
    String total = range.group(2);
    if (!total.equals("*") && Long.parseLong(total) != file.bytes()) {
      throw new HubClient.ChangedException(file.path());
    }
    return asked;
  }
}
