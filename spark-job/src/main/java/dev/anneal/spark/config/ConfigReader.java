package dev.anneal.spark.config;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.DeployMode;
import dev.anneal.spark.Redaction;
import dev.anneal.storage.Storage;
import dev.anneal.training.io.Excerpt;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkFiles;

/** Reads a configuration file from wherever {@code --config} says, with bounds on size and time. */
final class ConfigReader {
  private static final int MAX_BYTES = 1 << 20;

  /** A resource manager that waits for the driver gives up after 100 seconds. */
  private static final Duration USUAL_WAIT = Duration.ofSeconds(30);

  private final ConfigContext context;
  private final Duration longestWait;

  ConfigReader(ConfigContext context) {
    this(context, USUAL_WAIT);
  }

  ConfigReader(ConfigContext context, Duration longestWait) {
    this.context = context;
    this.longestWait = longestWait;
  }

  /**
   * Reads a file.
   *
   * @param location a path, {@code local:} and {@code file:} paths of this machine, {@code data:}
   *     with the content itself, or any Hadoop URI
   * @throws BadRequestException if it cannot be read
   */
  ConfigFile read(String location) {
    if (InlineConfig.isOne(location)) {
      return InlineConfig.read(location);
    }
    if (Redaction.carriesSecret(location)) {
      throw new BadRequestException(
          "--config holds a user name or a key in front of its host: take it out, and give credentials as Hadoop takes them, as in fs.s3a.access.key or the environment.");
    }
    try {
      String place = Databricks.resolve(location, context.hadoop());
      return Locations.isUri(place) && !Locations.isLocal(place)
          ? remote(place, location)
          : local(Locations.localPath(place), location);
    } catch (IOException | InvalidPathException e) {
      throw new BadRequestException(
          "The configuration %s cannot be read: check --config.".formatted(location), e);
    }
  }

  private ConfigFile local(String path, String name) throws IOException {
    Path file = find(context.workingFolder().resolve(path));
    try {
      Storage.requireRegular(file);
    } catch (IOException e) {
      throw unreadable(name, e);
    }
    byte[] bytes;
    try (InputStream in = Files.newInputStream(file)) {
      bytes = bounded(in, name, Files.size(file));
    }
    Path folder = file.toAbsolutePath().normalize().getParent();
    return new ConfigFile(name, text(bytes), Optional.of(folder.toString()));
  }

  /** The file; where it is not there, the one that Spark was told to bring along under its name. */
  private Path find(Path file) {
    Path name = file.getFileName();
    if (name == null || Files.exists(file)) {
      return file;
    }
    Stream<Path> working =
        DeployMode.of(context.spark()) == DeployMode.CLUSTER
            ? Stream.of(context.workingFolder())
            : Stream.empty();
    Stream<Path> brought =
        SparkEnv.get() == null ? Stream.empty() : Stream.of(Path.of(SparkFiles.getRootDirectory()));
    return Stream.concat(working, brought)
        .map(folder -> folder.resolve(name))
        .filter(Files::isRegularFile)
        .findFirst()
        .orElse(file);
  }

  private ConfigFile remote(String location, String name) {
    byte[] bytes =
        inTime(
            name,
            () -> {
              Storage storage = new Storage(context.hadoop().get());
              try (InputStream in = storage.open(location)) {
                return bounded(in, name, storage.size(location));
              }
            });
    try {
      return new ConfigFile(name, text(bytes), folderOf(location));
    } catch (IOException e) {
      throw unreadable(name, e);
    }
  }

  private static Optional<String> folderOf(String location) {
    org.apache.hadoop.fs.Path folder = new org.apache.hadoop.fs.Path(location).getParent();
    return Optional.ofNullable(folder).map(org.apache.hadoop.fs.Path::toString);
  }

  private byte[] inTime(String name, Callable<byte[]> read) {
    ExecutorService thread =
        Executors.newSingleThreadExecutor(
            task -> {
              Thread reader = new Thread(task, "anneal-config");
              // a store that does not answer must not keep the process
              reader.setDaemon(true);
              return reader;
            });
    try {
      return thread.submit(read).get(longestWait.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      throw new BadRequestException(
          "The configuration %s has not come within %s s: check --config, and that the driver reaches it."
              .formatted(name, longestWait.toSeconds()),
          e);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof BadRequestException refusal
          ? refusal
          : unreadable(name, e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BadRequestException(
          "Reading the configuration %s was interrupted.".formatted(name), e);
    } finally {
      thread.shutdownNow();
    }
  }

  private static BadRequestException unreadable(String name, Throwable cause) {
    return new BadRequestException(
        "The configuration %s cannot be read (%s): check --config."
            .formatted(name, Excerpt.of(String.valueOf(cause.getMessage()))),
        cause);
  }

  private static byte[] bounded(InputStream in, String name, long size) throws IOException {
    byte[] bytes = in.readNBytes(MAX_BYTES + 1);
    if (bytes.length > MAX_BYTES) {
      throw new BadRequestException(
          "The configuration %s has %s bytes, and %s are allowed: check --config."
              .formatted(name, Math.max(size, bytes.length), MAX_BYTES));
    }
    return bytes;
  }

  private static String text(byte[] bytes) throws IOException {
    return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
  }
}
