package dev.anneal.spark.notify;

import dev.anneal.spark.AnnealVersion;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.AnnealConfig.WebhookFormat;
import dev.anneal.spark.tracking.RunEnd;
import java.io.IOException;
import java.net.ConnectException;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/**
 * Tells the webhooks of a configuration how a run has ended. What goes wrong is said in a sentence
 * and changes nothing. Of an address only its host is ever said: who knows the rest can write
 * there.
 */
public final class Webhooks {
  private static final Pattern SLACK = Pattern.compile("(?i)hooks\\.slack(-gov)?\\.com");

  /** What is shorter is nobody's secret, and would be masked in paths of files. */
  private static final int LEAST_PATH = 12;

  private static final int TOO_MANY_REQUESTS = 429;
  private static final int REQUEST_TIMEOUT = 408;

  /**
   * How much time they get.
   *
   * @param answer of one request
   * @param pauses between tries, one fewer than there are tries
   */
  record Patience(Duration answer, List<Duration> pauses) {
    private static final Duration LEAST = Duration.ofMillis(1);

    static final Patience USUAL =
        new Patience(Duration.ofSeconds(10), List.of(Duration.ofSeconds(1), Duration.ofSeconds(3)));

    /** Of a process that is told to end. */
    static final Patience INTERRUPTED = new Patience(Duration.ofSeconds(2), List.of());

    /** The same, with answers that take no longer than that. */
    Patience within(Duration most) {
      Duration some = most.compareTo(LEAST) < 0 ? LEAST : most;
      return new Patience(some.compareTo(answer) < 0 ? some : answer, pauses);
    }
  }

  private final AnnealConfig.Webhooks config;
  private final Consumer<String> say;

  /**
   * @param say told of what went wrong, in a sentence
   */
  public Webhooks(AnnealConfig.Webhooks config, Consumer<String> say) {
    this.config = config;
    this.say = say;
  }

  /**
   * What of a configuration nobody gets to see: addresses, and what stands in them behind hosts.
   */
  public static List<String> secrets(AnnealConfig.Webhooks config) {
    List<String> secrets = new ArrayList<>();
    for (String address : config.addresses()) {
      secrets.add(address);
      String path = URI.create(address).getRawSchemeSpecificPart().replaceFirst("^//[^/?]*", "");
      if (path.length() >= LEAST_PATH) {
        secrets.add(path);
      }
    }
    return secrets;
  }

  /**
   * Tells whoever is to be told; returns when they know, or will not.
   *
   * @param most how long an answer may take, if that is shorter than what it has anyway
   */
  public void tell(Notice notice, Duration most) {
    Patience patience =
        notice.end().state() == RunEnd.State.INTERRUPTED ? Patience.INTERRUPTED : Patience.USUAL;
    tell(notice, patience.within(most));
  }

  void tell(Notice notice, Patience patience) {
    String address =
        notice.end().state() == RunEnd.State.SUCCEEDED ? config.onSuccess() : config.onFailure();
    if (address == null) {
      return;
    }
    URI uri = URI.create(address);
    String body = isSlack(uri) ? notice.slack() : notice.json();
    try {
      String why = send(request(uri, body, patience), patience);
      if (why != null) {
        say.accept("The webhook at %s was not told: %s.".formatted(uri.getHost(), why));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      // its message may hold the address
      say.accept(
          "The webhook at %s was not told: %s."
              .formatted(uri.getHost(), e.getClass().getSimpleName()));
    }
  }

  private boolean isSlack(URI uri) {
    return config.format() == WebhookFormat.SLACK
        || (config.format() == WebhookFormat.AUTO && SLACK.matcher(uri.getHost()).matches());
  }

  private static HttpRequest request(URI uri, String body, Patience patience) {
    return HttpRequest.newBuilder(uri)
        .timeout(patience.answer())
        .header("Content-Type", "application/json; charset=utf-8")
        .header("User-Agent", "anneal/" + AnnealVersion.anneal())
        .POST(BodyPublishers.ofString(body))
        .build();
  }

  /** Sends it until somebody has it; says why not, {@code null} if it has come. */
  private static String send(HttpRequest request, Patience patience) throws InterruptedException {
    HttpClient client = client(patience);
    for (int tries = 0; ; tries++) {
      String why;
      boolean again;
      try {
        int status = client.send(request, BodyHandlers.discarding()).statusCode();
        if (status >= 200 && status < 300) {
          return null;
        }
        why = "it answers " + status;
        again = status >= 500 || status == TOO_MANY_REQUESTS || status == REQUEST_TIMEOUT;
      } catch (IOException e) {
        why = reason(e);
        again = true;
      }
      if (!again || tries == patience.pauses().size()) {
        return why;
      }
      Thread.sleep(patience.pauses().get(tries).toMillis());
    }
  }

  private static HttpClient client(Patience patience) {
    HttpClient.Builder builder =
        HttpClient.newBuilder()
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(patience.answer());
    if (ProxySelector.getDefault() != null) {
      builder.proxy(ProxySelector.getDefault());
    }
    return builder.build();
  }

  private static String reason(IOException e) {
    if (e instanceof HttpConnectTimeoutException || e instanceof ConnectException) {
      return "there is no connection to it";
    }
    return e instanceof HttpTimeoutException
        ? "it does not answer in time"
        : "the connection fails with " + e.getClass().getSimpleName();
  }
}
