package dev.anneal.spark.train;

import dev.anneal.spark.progress.RankEvent;
import dev.anneal.training.collective.CollectiveException;
import org.apache.spark.SparkException;
import org.apache.spark.TaskKilledException;

/** What a rank tells of the exception that ends it. */
final class RankFailure {
  private RankFailure() {}

  static RankEvent.Failed event(int rank, String host, Throwable failure) {
    return new RankEvent.Failed(rank, host, sentence(rank, failure), isPeerLost(failure));
  }

  private static String sentence(int rank, Throwable failure) {
    Throwable telling = failure;
    while (telling.getMessage() == null && telling.getCause() != null) {
      telling = telling.getCause();
    }
    String message = telling.getMessage();
    return message == null
        ? telling.toString()
        : message.lines().findFirst().orElse("").replaceFirst("^rank " + rank + "[,:] ", "");
  }

  private static boolean isPeerLost(Throwable failure) {
    for (Throwable t = failure; t != null; t = t.getCause()) {
      // Spark's own come out of the rendezvous, when a peer is gone before it gets there
      if (t instanceof CollectiveException
          || t instanceof SparkException
          || t instanceof TaskKilledException) {
        return true;
      }
    }
    return false;
  }
}
