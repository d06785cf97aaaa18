package dev.anneal.data.hub;

import dev.anneal.data.error.InvalidDataException;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the hub was asked for, and what it means that it does not give it.
 *
 * @param path of a file; null for the repository itself
 */
record Asked(HubRepository repository, String revision, String path, HubEnvironment environment) {
  private static final Pattern RESET = Pattern.compile(";\\s*t=(\\d{1,9})");

  /**
   * The failure of an answer.
   *
   * @param ofHub whether it is the hub's own answer, and not a store's
   * @return what may pass
   * @throws InvalidDataException for what the user can put right
   */
  IOException failure(HttpAnswer answer, boolean ofHub) {
    int status = answer.status();
    String code = answer.header("X-Error-Code").orElse("");
    if (!ofHub) {
      return status == 416 ? shorter() : wait(answer).orElseGet(() -> storesFailure(answer));
    }
    if (code.equals("GatedRepo")) {
      throw gated(status);
    }
    if (status == 401 || status == 403) {
      throw forbidden(status);
    }
    if (status == 404) {
      throw missing(code);
    }
    return status == 416 ? shorter() : wait(answer).orElseGet(() -> plain(status));
  }

  private static IOException plain(int status) {
    return new IOException("status " + status);
  }

  private static IOException storesFailure(HttpAnswer answer) {
    return new IOException(
        "status %s of %s".formatted(answer.status(), answer.uri().getAuthority()));
  }

  /** There is no such range. */
  private IOException shorter() {
    return new HubClient.ChangedException(path);
  }

  private static Optional<IOException> wait(HttpAnswer answer) {
    return answer
        .header("Retry-After")
        .flatMap(Asked::duration)
        .or(() -> answer.status() == 429 ? reset(answer) : Optional.empty())
        .map(wait -> new HubClient.BusyException(answer.status(), wait));
  }

  /** Seconds until the hub gives again, of which it tells with its limit. */
  private static Optional<Duration> reset(HttpAnswer answer) {
    return answer
        .header("RateLimit")
        .map(RESET::matcher)
        .filter(Matcher::find)
        .map(found -> Duration.ofSeconds(Long.parseLong(found.group(1))));
  }

  /** Seconds or a date. */
  private static Optional<Duration> duration(String header) {
    try {
      Duration wait =
          header.matches("\\d{1,9}")
              ? Duration.ofSeconds(Long.parseLong(header))
              : Duration.between(
                  Instant.now(),
                  ZonedDateTime.parse(header, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant());
      return Optional.of(wait.isNegative() ? Duration.ZERO : wait);
    } catch (DateTimeParseException e) {
      return Optional.empty();
    }
  }

  private String what() {
    return "The " + repository.display() + " of " + environment.endpoint();
  }

  private InvalidDataException gated(int status) {
    String page = repository.page(environment.endpoint()).toString();
    return new InvalidDataException(
        environment.token() == null
            ? "%s is gated: ask for access on %s, and set the environment variable HF_TOKEN to a token of your account."
                .formatted(what(), page)
            : "%s is gated, and this token may not read it (status %s): ask for access on %s, or set the environment variable HF_TOKEN to a token of an account that has it."
                .formatted(what(), status, page));
  }

  private InvalidDataException forbidden(int status) {
    return new InvalidDataException(
        "%s may not be read (status %s): set the environment variable HF_TOKEN to a token that may, check the name, and accept the terms on %s if it has any."
            .formatted(what(), status, repository.page(environment.endpoint())));
  }

  private InvalidDataException missing(String code) {
    if (code.equals("RevisionNotFound")) {
      return new InvalidDataException(
          "%s has no revision '%s': name a branch, a tag or a commit of it."
              .formatted(what(), revision));
    }
    return new InvalidDataException(
        "%s with revision '%s' is not there: check the name, or set HF_TOKEN if it is private."
            .formatted(what(), revision));
  }
}
