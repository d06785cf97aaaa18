package dev.anneal.spark.generate;

import dev.anneal.data.task.TaskResults;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.cluster.BarrierStage;
import dev.anneal.spark.job.RootCause;
import dev.anneal.spark.train.GenerationTask;
import dev.anneal.spark.train.PromptDesk;
import dev.anneal.spark.train.PromptServer;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaFutureAction;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * A model on the cluster that answers what its desk hands out, until that has no more: a barrier
 * stage that runs beside the thread that has started it.
 */
final class ModelService implements AutoCloseable {
  private final SparkContext spark;
  private final PromptServer server;
  private final JavaFutureAction<?> job;

  private ModelService(SparkContext spark, PromptServer server, JavaFutureAction<?> job) {
    this.spark = spark;
    this.server = server;
    this.job = job;
  }

  /**
   * Starts it.
   *
   * @param streamed whether the desk is told every token
   */
  static ModelService start(
      SparkContext spark, AskedModel model, PromptDesk desk, boolean streamed) {
    String name = "anneal-prompts-" + UUID.randomUUID();
    GenerationTask task = model.task(new GenerationTask.Line(name, streamed));
    PromptServer server = PromptServer.open(spark, name, desk);
    try {
      JavaFutureAction<?> job =
          TaskResults.start(
              BarrierStage.of(
                  JavaSparkContext.fromSparkContext(spark),
                  model.config().cluster().nodes(),
                  model.config().cluster().gpusPerNode(),
                  task));
      return new ModelService(spark, server, job);
    } catch (RuntimeException e) {
      server.close();
      throw e;
    }
  }

  /**
   * Whether all ranks have left in good order.
   *
   * @throws JobFailedException if one has failed
   */
  boolean hasEnded() {
    return job.isDone() && hasEnded(Duration.ofSeconds(1));
  }

  /**
   * Same as {@link #hasEnded()} after so long a wait.
   *
   * @throws JobFailedException if a rank has failed
   */
  boolean hasEnded(Duration wait) {
    try {
      job.get(wait.toMillis(), TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new JobFailedException("Generation was interrupted.", e);
    } catch (ExecutionException | RuntimeException e) {
      throw new JobFailedException("Generation failed: " + RootCause.sentence(spark, e), e);
    }
  }

  /** Ends what still runs. */
  @Override
  public void close() {
    if (!job.isDone()) {
      job.cancel(true);
    }
    server.close();
  }
}
