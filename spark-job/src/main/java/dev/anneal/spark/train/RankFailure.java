package dev.anneal.spark.train;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.progress.RankEvent.Failed;
import dev.anneal.spark.progress.RankEvent.Failed.Cause;
import dev.anneal.spark.storage.StoreRefusal;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.checkpoint.InvalidCheckpointException;
import dev.anneal.training.collective.CollectiveException;
import dev.anneal.training.collective.PeerLoss;
import dev.anneal.training.trainer.NotFiniteException;
import java.io.IOException;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.spark.SparkException;
import org.apache.spark.TaskKilledException;

/** What a rank tells of the exception that ends it. */
final class RankFailure {
  private static final Pattern FULL_DISK =
      Pattern.compile("No space left on device|Disk quota exceeded|File too large");

  /** Spark's words where a barrier is not reached by all tasks. */
  private static final Pattern LATE_RANKS =
      Pattern.compile("didn't get all barrier sync requests .* within (\\d+) second");

  private RankFailure() {}

  static Failed event(int rank, String host, Throwable failure) {
    return new Failed(rank, host, sentence(rank, failure), cause(failure));
  }

  private static String sentence(int rank, Throwable failure) {
    return StoreRefusal.sentence(failure).orElseGet(() -> own(rank, failure));
  }

  private static String own(int rank, Throwable failure) {
    Throwable telling = failure;
    while (telling.getMessage() == null && telling.getCause() != null) {
      telling = telling.getCause();
    }
    String message = telling.getMessage();
    if (message == null) {
      return telling.toString();
    }
    Matcher late = LATE_RANKS.matcher(message);
    return late.find()
        ? "not all ranks came to the rendezvous within %s s; executors that start slowly take a larger cluster.timeout."
            .formatted(late.group(1))
        : message.lines().findFirst().orElse("").replaceFirst("^rank " + rank + "[,:] ", "");
  }

  private static Cause cause(Throwable failure) {
    Optional<PeerLoss> loss =
        chain(failure)
            .filter(CollectiveException.class::isInstance)
            .map(t -> ((CollectiveException) t).loss())
            .findFirst();
    if (loss.isPresent()) {
      return switch (loss.get()) {
        case CLOSED -> Cause.PEER_CLOSED;
        case TIMED_OUT -> Cause.PEER_SILENT;
        case UNKNOWN -> Cause.LOST_PEER;
      };
    }
    // Spark's own come out of the rendezvous, when a peer is gone before it gets there
    if (has(failure, t -> t instanceof SparkException || t instanceof TaskKilledException)) {
      return Cause.LOST_PEER;
    }
    if (StoreRefusal.sentence(failure).isPresent()) {
      // whoever could have renewed the credentials was asked already
      return Cause.REQUEST;
    }
    if (has(failure, t -> FULL_DISK.matcher(String.valueOf(t.getMessage())).find())) {
      // checkpoints go without: what has no room is the result, and would not have it again
      return Cause.REQUEST;
    }
    boolean request =
        has(
            failure,
            t ->
                t instanceof BadRequestException
                    || t instanceof InvalidModelException
                    || t instanceof InvalidDataException
                    || t instanceof InvalidCheckpointException
                    || t instanceof NotFiniteException);
    // a file that cannot be read now is no verdict on what is in it
    return request && !has(failure, t -> t instanceof IOException) ? Cause.REQUEST : Cause.RANK;
  }

  private static boolean has(Throwable failure, Predicate<Throwable> what) {
    return chain(failure).anyMatch(what);
  }

  private static Stream<Throwable> chain(Throwable failure) {
    return Stream.iterate(failure, t -> t != null, Throwable::getCause);
  }
}
