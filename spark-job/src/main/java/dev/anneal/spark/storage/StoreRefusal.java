package dev.anneal.spark.storage;

import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What it means that an object store refuses credentials. */
public final class StoreRefusal {
  /** As the second version of Amazon's library says it, and as the first. */
  private static final Pattern FORBIDDEN =
      Pattern.compile("Service: (?:Amazon )?S3[,;] Status Code: 403");

  /** The answer to a look at an object has no room for the reason, so an expired token is this. */
  private static final Pattern BAD_REQUEST =
      Pattern.compile("Bad Request \\(Service: (?:Amazon )?S3[,;] Status Code: 400");

  private static final Pattern PLACE = Pattern.compile("s3a?://[^\\s:,'\")]+");

  private StoreRefusal() {}

  /**
   * The failure in one sentence, if credentials are its cause. What executors report has come as
   * text, so the text of the store's answer is looked at, not the type of the exception.
   */
  public static Optional<String> sentence(Throwable failure) {
    return sentence(
        Stream.iterate(failure, t -> t != null, Throwable::getCause)
            .map(Throwable::toString)
            .toList());
  }

  /** The same of what somebody has said of a failure. */
  public static Optional<String> sentence(String said) {
    return sentence(List.of(said));
  }

  private static Optional<String> sentence(List<String> texts) {
    for (String text : texts) {
      if (text.contains("ExpiredToken") || text.contains("token has expired")) {
        return Optional.of(
            "The credentials for the object store have expired and nothing renews them: run the same command again with new ones, or let Spark find a provider that renews them.");
      }
      if (text.contains("NoAuthWithAWSException")) {
        return Optional.of(
            "There are no credentials for the object store: set them in the environment, as spark.hadoop.fs.s3a.* or by the role of the machine.");
      }
      if (text.contains("InvalidAccessKeyId") || text.contains("SignatureDoesNotMatch")) {
        return Optional.of(
            "The object store does not know these credentials: correct them, or the endpoint that they are meant for.");
      }
    }
    return texts.stream()
        .filter(text -> FORBIDDEN.matcher(text).find() || BAD_REQUEST.matcher(text).find())
        .map(text -> FORBIDDEN.matcher(text).find() ? forbidden(text) : badRequest(text))
        .findFirst();
  }

  private static String badRequest(String text) {
    return "The object store refuses a look at %s (400 Bad Request): the credentials have expired, or its region is another; run the same command again with new ones, or correct it."
        .formatted(place(text).orElse("an object"));
  }

  /** A look at an object brings no more than the number. */
  private static String forbidden(String text) {
    return "The object store refuses access%s (403 Forbidden): correct the credentials, or let them read and write there."
        .formatted(place(text).map(place -> " to " + place).orElse(""));
  }

  private static Optional<String> place(String text) {
    Matcher place = PLACE.matcher(text);
    return place.find() ? Optional.of(place.group()) : Optional.empty();
  }
}
