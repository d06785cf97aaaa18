package dev.anneal.spark.doctor;

import dev.anneal.data.hub.HubSource;
import dev.anneal.spark.storage.ModelLocation;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/** Whether the Hugging Face hub, or the one that stands in for it, answers. */
final class HubCheck {
  private static final Duration LIMIT = Duration.ofSeconds(5);

  private HubCheck() {}

  /** Adds the driver's, which alone fetches from the hub. */
  static void addForDriver(Looks looks, Places places) {
    String source = places.config().data().rows().source();
    URI hub = HubSource.endpoint(places.storage().configuration());
    String model = places.config().model().path();
    boolean rows = source != null && HubSource.isHub(source);
    boolean needed = rows || (model != null && ModelLocation.isHub(model));
    String what = rows ? "data.source " + source : "model.path " + model;
    looks.require(
        "hub",
        LIMIT.plusSeconds(1),
        () -> ask(hub),
        cause ->
            needed
                ? "%s is on the hub, and %s does not answer (%s): let the driver reach it, or name another in HF_ENDPOINT."
                    .formatted(what, hub, cause)
                : null);
  }

  /** Adds an executor's, by which no run ends. */
  static void addForExecutor(Looks looks, Places places) {
    looks.add(
        "hub",
        LIMIT.plusSeconds(1),
        () -> ask(HubSource.endpoint(places.storage().configuration())));
  }

  private static String ask(URI hub) throws IOException, InterruptedException {
    HttpClient http = HttpClient.newBuilder().connectTimeout(LIMIT).build();
    HttpRequest request =
        HttpRequest.newBuilder(hub)
            .method("HEAD", HttpRequest.BodyPublishers.noBody())
            .header("User-Agent", "anneal")
            .timeout(LIMIT)
            .build();
    long start = System.nanoTime();
    try {
      int status = http.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
      return "%s in %s ms".formatted(status, (System.nanoTime() - start) / 1_000_000);
    } catch (ConnectException e) {
      // Java gives a host that is not known no words
      throw new IOException("no connection to " + hub.getAuthority(), e);
    }
  }
}
