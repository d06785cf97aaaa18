package dev.anneal.spark.progress;

import dev.anneal.spark.compat.ScalaCollections;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.spark.SparkContext;
import org.apache.spark.status.api.v1.ExecutorSummary;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The logs of executors that have ended. They are read where they lie on this machine, else a
 * worker of a standalone cluster is asked for them; of those on YARN and Kubernetes it is said
 * where they lie.
 */
public final class ExecutorLogs implements ExecutorObituary {
  private static final Logger LOG = LoggerFactory.getLogger(ExecutorLogs.class);
  private static final Duration PATIENCE = Duration.ofSeconds(5);
  private static final Duration CONNECT = Duration.ofSeconds(1);
  private static final int READS = 3;
  private static final int HTTP_OK = 200;
  private static final long PAUSE_MILLIS = 500;
  private static final int TAIL_BYTES = 1 << 16;
  private static final List<String> STREAMS = List.of("stdout", "stderr");

  private static final Pattern WORKER = Pattern.compile("(https?://.*)/logPage/?\\?(.*)");
  private static final Pattern YARN =
      Pattern.compile("https?://.*/containerlogs/(container_\\w+)/.*");

  /** Spark's words for an executor that took its task along. */
  private static final Pattern LOST_BY_TASK =
      Pattern.compile("ExecutorLostFailure \\(executor (\\S+) exited.*?Reason: ([^\\n]*)");

  /** Spark's words for an application that ends because its executors do. */
  private static final Pattern GIVEN_UP =
      Pattern.compile(
          "removed our application|SparkContext was shut down|executor failures|stopped SparkContext");

  /** What of a log is taken for the error that has ended its process. */
  @FunctionalInterface
  private interface LogReader {
    Optional<String> lastError(String log);
  }

  private final SparkContext spark;
  private final HttpClient client = HttpClient.newBuilder().connectTimeout(CONNECT).build();

  public ExecutorLogs(SparkContext spark) {
    this.spark = spark;
  }

  @Override
  public Obituary of(String executor, String reason) {
    String host = summary(executor).map(ExecutorLogs::host).orElse("an unknown host");
    Ending ending = Ending.of(reason);
    if (ending.isHang()) {
      return new Obituary(host, "its ranks hung, so it ended itself", How.FROM_OUTSIDE);
    }
    if (ending.isFromOutside()) {
      return new Obituary(host, ending.text(), How.FROM_OUTSIDE);
    }
    // a process that was killed or stands still may have logged errors of another attempt
    LogReader reader = ending.hasExitCode() ? LastWords::of : LastWords::ofDying;
    Optional<String> error = summary(executor).flatMap(found -> lastError(found, reader));
    return error
        .map(words -> new Obituary(host, words + " (" + ending.text() + ")", How.BY_ITSELF))
        .orElseGet(() -> withoutWords(executor, host, ending));
  }

  private Obituary withoutWords(String executor, String host, Ending ending) {
    if (ending.isSilence()) {
      return new Obituary(host, ending.text(), How.UNHEARD);
    }
    How how = ending.hasExitCode() ? How.BY_ITSELF : How.FROM_OUTSIDE;
    return new Obituary(host, ending.text() + place(executor), how);
  }

  /**
   * The last error of the executor whose end made the application or one of its stages fail; empty
   * where the failure has another cause or nothing is known of it.
   */
  public Optional<String> explain(Throwable failure) {
    List<String> told =
        Stream.iterate(failure, t -> t != null, Throwable::getCause)
            .map(t -> String.valueOf(t.getMessage()))
            .toList();
    Optional<Matcher> byTask =
        told.stream().map(LOST_BY_TASK::matcher).filter(Matcher::find).findFirst();
    if (byTask.isPresent()) {
      String executor = byTask.get().group(1);
      Obituary obituary = of(executor, byTask.get().group(2));
      return Optional.of(
          "executor %s on %s was lost: %s".formatted(executor, obituary.host(), obituary.text()));
    }
    return told.stream().anyMatch(text -> GIVEN_UP.matcher(text).find())
        ? newestOnThisMachine().map(words -> "its executors end before they have begun: " + words)
        : Optional.empty();
  }

  /** How many executors workers of this machine have started, as far as that can be seen. */
  public long begunOnThisMachine() {
    try (Stream<Path> executors = Files.list(onThisMachine())) {
      return executors.count();
    } catch (IOException notHere) {
      return 0;
    }
  }

  /** Where workers of this machine keep what executors say. */
  private Path onThisMachine() {
    String home = spark.conf().get("spark.home", System.getenv().getOrDefault("SPARK_HOME", "."));
    Path work = Path.of(System.getenv().getOrDefault("SPARK_WORKER_DIR", home + "/work"));
    return work.resolve(spark.applicationId());
  }

  /** Of executors that never came as far as to register, Spark tells nobody. */
  private Optional<String> newestOnThisMachine() {
    try (Stream<Path> executors = Files.list(onThisMachine())) {
      return executors
          .sorted(Comparator.comparingLong(ExecutorLogs::changed).reversed())
          .flatMap(executor -> STREAMS.stream().map(executor::resolve))
          .map(ExecutorLogs::tail)
          .flatMap(log -> LastWords.of(log).stream())
          .findFirst();
    } catch (IOException notHere) {
      return Optional.empty();
    }
  }

  private static long changed(Path file) {
    return file.toFile().lastModified();
  }

  private static String tail(Path file) {
    try (RandomAccessFile log = new RandomAccessFile(file.toFile(), "r")) {
      byte[] tail = new byte[(int) Math.min(TAIL_BYTES, log.length())];
      log.seek(log.length() - tail.length);
      log.readFully(tail);
      return new String(tail, StandardCharsets.UTF_8);
    } catch (IOException e) {
      LOG.debug("reading {}", file, e);
      return "";
    }
  }

  private Optional<ExecutorSummary> summary(String executor) {
    return ScalaCollections.list(spark.statusStore().executorList(false)).stream()
        .filter(summary -> summary.id().equals(executor))
        .findFirst();
  }

  private static String host(ExecutorSummary executor) {
    return executor.hostPort().replaceFirst(":\\d+$", "");
  }

  private static Map<String, String> urls(ExecutorSummary executor) {
    return ScalaCollections.map(executor.executorLogs());
  }

  private Optional<String> lastError(ExecutorSummary executor, LogReader reader) {
    Path here = onThisMachine().resolve(executor.id());
    if (Files.isDirectory(here)) {
      return lastError(stream -> Optional.of(tail(here.resolve(stream))), reader);
    }
    return urls(executor).values().stream()
        .map(WORKER::matcher)
        .filter(Matcher::matches)
        .findFirst()
        .flatMap(worker -> lastError(stream -> ask(worker, stream), reader));
  }

  /**
   * The last error that a log tells of.
   *
   * @param log of a stream; empty where it cannot be had
   */
  private static Optional<String> lastError(
      Function<String, Optional<String>> log, LogReader reader) {
    for (int read = 0; read < READS; read++) {
      for (String stream : STREAMS) {
        Optional<String> words = log.apply(stream);
        Optional<String> error = words.flatMap(reader::lastError);
        if (error.isPresent() || words.isEmpty()) {
          return error;
        }
      }
      // the worker may still be copying what the process said last
      if (!pause()) {
        break;
      }
    }
    return Optional.empty();
  }

  private Optional<String> ask(Matcher worker, String stream) {
    String query = worker.group(2).replaceFirst("&?logType=\\w+", "");
    return get(
        "%s/log/?%s&logType=%s&byteLength=%s"
            .formatted(worker.group(1), query, stream, TAIL_BYTES));
  }

  /** What a worker answers; empty where it cannot be reached, as on a host that is gone. */
  private Optional<String> get(String url) {
    try {
      HttpRequest request = HttpRequest.newBuilder(URI.create(url)).timeout(PATIENCE).build();
      HttpResponse<String> response = client.send(request, BodyHandlers.ofString());
      return Optional.of(response.statusCode() == HTTP_OK ? response.body() : "");
    } catch (IOException | IllegalArgumentException e) {
      LOG.debug("asking for {}", url, e);
      return Optional.empty();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }

  private static boolean pause() {
    try {
      Thread.sleep(PAUSE_MILLIS);
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** Where a person finds the log. */
  private String place(String executor) {
    String application = spark.applicationId();
    if (spark.master().startsWith("k8s")) {
      return "; its log: kubectl logs -n %s -l spark-app-selector=%s,spark-exec-id=%s --tail=-1, if spark.kubernetes.executor.deleteOnTermination is false"
          .formatted(
              spark.conf().get("spark.kubernetes.namespace", "default"), application, executor);
    }
    Optional<String> url =
        summary(executor)
            .map(ExecutorLogs::urls)
            .flatMap(urls -> Optional.ofNullable(urls.get("stderr")));
    Optional<Matcher> container = url.map(YARN::matcher).filter(Matcher::matches);
    return container
        .map(
            found ->
                "; its log: yarn logs -applicationId %s -containerId %s"
                    .formatted(application, found.group(1)))
        .or(() -> url.map(found -> "; its log: " + found))
        .orElse("");
  }
}
