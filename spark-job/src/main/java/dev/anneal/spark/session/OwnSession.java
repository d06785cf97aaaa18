package dev.anneal.spark.session;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.data.error.OneLine;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.DeployMode;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Request;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.cluster.SparkSettings;
import dev.anneal.spark.storage.ObjectStoreDefaults;
import java.io.OutputStream;
import java.io.PrintStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkException;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.sql.SparkSession;

/** The session of an application that is there for one run: its process is the run's. */
public final class OwnSession implements RunSession {
  private final Request request;
  private final SparkConf conf;
  private final Configuration hadoop;
  private SparkSession session;
  private int exitCode = 1;

  private OwnSession(Request request, SparkConf conf) {
    this.request = request;
    this.conf = conf;
    this.hadoop = SparkHadoopUtil.get().newConfiguration(conf);
  }

  /** For a request, with what {@code spark-submit} has set. */
  public static OwnSession of(Request request) {
    SparkConf submitted = ObjectStoreDefaults.addTo(new SparkConf());
    OwnSession own = new OwnSession(request, settings(submitted, request));
    if (DeployMode.of(own.conf) == DeployMode.CLUSTER) {
      // YARN gives an application 100 s for its context, and the checks may take longer
      own.open();
    }
    return own;
  }

  private static SparkConf settings(SparkConf submitted, Request request) {
    try {
      return SparkSettings.of(submitted, request);
    } catch (IllegalArgumentException e) {
      throw new BadRequestException(
          "Spark's options cannot be read (%s): correct them."
              .formatted(OneLine.of(String.valueOf(e.getMessage()))),
          e);
    }
  }

  @Override
  public SparkConf conf() {
    return conf;
  }

  @Override
  public Configuration hadoop() {
    return hadoop;
  }

  @Override
  public synchronized SparkSession open() {
    if (session == null) {
      session = begin();
    }
    return session;
  }

  private SparkSession begin() {
    try {
      return SparkSession.builder().config(conf).getOrCreate();
    } catch (Exception e) {
      // Spark's are checked exceptions that no signature tells of
      String says = OneLine.of(String.valueOf(e.getMessage())).replaceFirst("[.\\s]+$", "");
      if (e instanceof IllegalArgumentException
          || (e instanceof SparkException && Slots.isOneMachine(conf))) {
        throw new BadRequestException(
            "Spark does not start with these options (%s): correct them.".formatted(says), e);
      }
      throw new JobFailedException("Spark does not start: " + says + ".", e);
    }
  }

  @Override
  public void cancel() {
    close();
  }

  @Override
  public synchronized void succeeded() {
    exitCode = 0;
  }

  @Override
  public synchronized void close() {
    if (session == null) {
      return;
    }
    if (request.detail() == Request.Detail.SENTENCE) {
      // threads of a Spark that stops print the stack traces of what they can no longer do
      System.setErr(new PrintStream(OutputStream.nullOutputStream(), false, UTF_8));
    }
    // YARN's report of an application whose driver runs here goes by it
    session.sparkContext().stop(exitCode);
  }
}
