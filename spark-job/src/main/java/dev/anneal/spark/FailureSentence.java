package dev.anneal.spark;

import dev.anneal.data.error.OneLine;
import dev.anneal.spark.storage.StoreRefusal;
import java.io.PrintWriter;
import java.io.StringWriter;

/** What a person is told of what has ended a request: one sentence, without secrets. */
public final class FailureSentence {
  private FailureSentence() {}

  /** The failure as whoever asked gets it, with the sentence as its message. */
  public static RuntimeException failure(Throwable e, Redaction redaction) {
    String sentence = redaction.mask(sentence(e));
    Throwable cause = withoutSecrets(e, redaction);
    if (cause == e && sentence.equals(e.getMessage()) && isOwn(e)) {
      return (RuntimeException) e;
    }
    return e instanceof BadRequestException
        ? new BadRequestException(sentence, cause)
        : new JobFailedException(sentence, cause);
  }

  private static String sentence(Throwable e) {
    if (e instanceof LinkageError) {
      // what could not be loaded, or why, stands at the bottom
      return root(e).toString();
    }
    return StoreRefusal.sentence(e).orElseGet(() -> own(e));
  }

  private static String own(Throwable e) {
    if (isOwn(e)) {
      return e.getMessage();
    }
    return OneLine.of(e.getMessage() == null || e instanceof Error ? e.toString() : e.getMessage());
  }

  private static boolean isOwn(Throwable e) {
    return e instanceof BadRequestException || e instanceof JobFailedException;
  }

  private static Throwable root(Throwable e) {
    Throwable root = e;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root;
  }

  /** The stack trace of a failure. */
  public static String trace(Throwable e) {
    StringWriter trace = new StringWriter();
    e.printStackTrace(new PrintWriter(trace, true));
    return trace.toString();
  }

  // whoever catches it may print its causes
  private static Throwable withoutSecrets(Throwable e, Redaction redaction) {
    String trace = trace(e);
    return redaction.mask(trace).equals(trace) ? e : copy(e, redaction);
  }

  private static Throwable copy(Throwable e, Redaction redaction) {
    Throwable cause = e.getCause() == null ? null : copy(e.getCause(), redaction);
    RuntimeException copy = new RuntimeException(redaction.mask(e.toString()), cause);
    copy.setStackTrace(e.getStackTrace());
    return copy;
  }
}
