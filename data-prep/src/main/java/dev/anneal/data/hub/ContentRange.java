package dev.anneal.data.hub;

import java.io.IOException;
import java.net.http.HttpResponse;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Which part of a file an answer holds. */
record ContentRange(HttpResponse<?> response) {
  private static final Pattern RANGE = Pattern.compile("bytes (\\d+)-\\d+/(\\d+|\\*)");

  /**
   * Where in the file it begins: where it was asked to, or at 0.
   *
   * @throws HubClient.ChangedException if the whole file is longer or shorter than it was listed
   */
  long require(HubFile file, long asked) throws IOException {
    if (response.statusCode() != 206) {
      OptionalLong length = response.headers().firstValueAsLong("Content-Length");
      if (length.isPresent() && length.getAsLong() != file.bytes()) {
        throw new HubClient.ChangedException(file.path());
      }
      return 0;
    }
    String header = response.headers().firstValue("Content-Range").orElse("");
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
