package dev.anneal.spark.session;

import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.spark.progress.ProgressDisplay;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext$;
import org.apache.spark.sql.SparkSession;

/** The Spark session of a run: one that the run begins and ends, or one of its caller's. */
public sealed interface RunSession extends AutoCloseable permits OwnSession, CallersSession {

  /** The session of the application that this is a part of, or one of the run's own. */
  static RunSession forRequest(Request request) {
    return SparkContext$.MODULE$.getActive().isDefined()
        ? new CallersSession(SparkSession.builder().getOrCreate())
        : OwnSession.of(request);
  }

  /**
   * The same for work that needs neither a configuration nor ranks: tasks, as a preparation has.
   */
  static RunSession forTasks(Request.Detail detail) {
    List<String> noGpus = List.of("cluster.gpus_per_node=0", "compute.matmul=bf16");
    AnnealConfig defaults = ConfigLoader.load(null, noGpus, Path.of("").toAbsolutePath());
    return forRequest(
        new Request(
            Request.Command.PREP,
            defaults,
            Request.Existing.KEEP,
            detail,
            0,
            ProgressDisplay.Medium.FILE));
  }

  /** Spark's configuration, also before there is a session. */
  SparkConf conf();

  /** Hadoop's configuration, also before there is a session. */
  Configuration hadoop();

  /** The session, which begins now if it has not before. */
  SparkSession open();

  /** Ends what the run has under way on the cluster, and what it still begins. */
  void cancel();

  /** The run has succeeded: what a cluster is told that asks how the application ended. */
  void succeeded();

  /** The run is over. */
  @Override
  void close();
}
