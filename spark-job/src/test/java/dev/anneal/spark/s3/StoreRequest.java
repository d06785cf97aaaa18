package dev.anneal.spark.s3;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The head of one request to an object store, and what becomes of it.
 *
 * @param target path and query as they came
 * @param headers by lower-case name
 */
public record StoreRequest(String method, String target, Map<String, String> headers, Fate fate) {

  /** What the way to the store does with a request. */
  public enum Fate {
    PASSED,
    THROTTLED,
    EXPIRED,
    FORBIDDEN,
    BROKEN
  }

  private static final Pattern CREDENTIAL = Pattern.compile("Credential=([^/]+)/");

  /** What S3 calls it. */
  public String operation() {
    return switch (method) {
      case "HEAD" -> "HeadObject";
      case "GET" -> isBucket() || has("list-type") ? "ListObjects" : "GetObject";
      case "PUT" -> put();
      case "POST" -> post();
      case "DELETE" -> has("uploadId") ? "AbortMultipartUpload" : "DeleteObject";
      default -> method;
    };
  }

  private String put() {
    if (headers.containsKey("x-amz-copy-source")) {
      return "CopyObject";
    }
    return has("partNumber") ? "UploadPart" : "PutObject";
  }

  private String post() {
    if (has("delete")) {
      return "DeleteObjects";
    }
    return has("uploads") ? "CreateMultipartUpload" : "CompleteMultipartUpload";
  }

  /** The object's name, behind the bucket. */
  public String key() {
    int slash = path().indexOf('/', 1);
    return slash < 0 ? "" : path().substring(slash + 1);
  }

  /** The number of bytes that a {@code Range} header asks for; -1 without one. */
  public long rangeBytes() {
    String range = headers.get("range");
    if (range == null) {
      return -1;
    }
    List<String> ends = List.of(range.substring("bytes=".length()).split("-", 2));
    return Long.parseLong(ends.get(1)) - Long.parseLong(ends.get(0)) + 1;
  }

  /** The access key that signed it; empty without a signature. */
  public String accessKey() {
    return accessKey(headers);
  }

  static String accessKey(Map<String, String> headers) {
    Matcher matcher = CREDENTIAL.matcher(headers.getOrDefault("authorization", ""));
    return matcher.find() ? matcher.group(1) : "";
  }

  /** Bytes that follow the head, where that is said. */
  long contentLength() {
    return Long.parseLong(headers.getOrDefault("content-length", "0"));
  }

  /** Whether the sender waits for a word before it sends the body. */
  boolean waitsToSend() {
    return headers.getOrDefault("expect", "").toLowerCase(Locale.ROOT).equals("100-continue");
  }

  private String path() {
    int query = target.indexOf('?');
    return query < 0 ? target : target.substring(0, query);
  }

  private boolean isBucket() {
    return path().indexOf('/', 1) < 0 || path().indexOf('/', 1) == path().length() - 1;
  }

  private boolean has(String parameter) {
    int query = target.indexOf('?');
    if (query < 0) {
      return false;
    }
    return List.of(target.substring(query + 1).split("&", -1)).stream()
        .anyMatch(each -> each.equals(parameter) || each.startsWith(parameter + "="));
  }
}
