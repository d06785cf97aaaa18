package dev.anneal.spark.s3;

import dev.anneal.spark.ServerProcess;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Adobe's S3Mock in a process of its own, with one bucket. It keeps its objects in a folder that
 * goes with it, checks no signatures, and knows multipart uploads, ranges and conditional writes.
 */
public final class S3Server implements AutoCloseable {
  /** The bucket that is there from the start. */
  public static final String BUCKET = "runs";

  private static final Path JAR =
      Path.of(System.getProperty("anneal.home"), "spark-job/target/s3-server/s3mock.jar");

  private final ServerProcess process;

  private S3Server(ServerProcess process) {
    this.process = process;
  }

  /** Starts it with its objects and its log in {@code folder}; returns when it answers. */
  public static S3Server start(Path folder) throws IOException, InterruptedException {
    int port = ServerProcess.freePort();
    Path objects = Files.createDirectories(folder.resolve("objects"));
    List<String> words =
        List.of(
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-jar",
            JAR.toString(),
            "--server.address=127.0.0.1",
            "--server.port=0",
            "--http.port=" + port,
            "--com.adobe.testing.s3mock.store.root=" + objects,
            "--com.adobe.testing.s3mock.store.initial-buckets=" + BUCKET);
    return new S3Server(ServerProcess.start(port, folder.resolve("s3mock.log"), words));
  }

  /** Where it listens. */
  public URI endpoint() {
    return URI.create("http://127.0.0.1:" + process.port());
  }

  /** The {@code s3a} URI of something in its bucket. */
  public static String uri(String key) {
    return "s3a://" + BUCKET + "/" + key;
  }

  @Override
  public void close() {
    process.close();
  }
}
