package dev.anneal.data.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.tuple;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.task.TaskFailure.Cause;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import org.apache.spark.SparkException;
import org.junit.jupiter.api.Test;

class TaskFailureTest {
  // as Spark 4.1.3 says it
  private static final String LOST =
      "Job aborted due to stage failure: Task 0 in stage 4.0 failed 4 times, most recent failure: "
          + "Lost task 0.3 in stage 4.0 (TID 9) (127.0.0.1 executor 0): ";

  @Test
  void readsWhatSparkOnlyHasAsText() {
    String text =
        LOST
            + "java.lang.IllegalStateException: wrapped\n\tat a.b(C.java:1)\n"
            + "Caused by: dev.anneal.data.error.InvalidDataException: bad rows: correct them.\n"
            + "\tat a.b(C.java:2)\n\t... 3 more\n\nDriver stacktrace:\n"
            + "Caused by: java.lang.Error: not of the task";
    assertThat(TaskFailure.causes(new SparkException(text)))
        .extracting(Cause::type, Cause::message)
        .containsExactly(
            tuple("org.apache.spark.SparkException", text),
            tuple("java.lang.IllegalStateException", "wrapped"),
            tuple(InvalidDataException.class.getName(), "bad rows: correct them."));
  }

  @Test
  void readsThoseOfABarrierStage() {
    String text =
        "Job aborted due to stage failure: Could not recover from a failed barrier ResultStage. Most"
            + " recent failure reason: Stage failed because barrier task ResultTask(3, 0) finished"
            + " unsuccessfully.\njava.io.FileNotFoundException: /no/such (No such file)\n\tat a.b(C)";
    Cause root = TaskFailure.causes(new SparkException(text)).get(1);
    assertThat(root.is(IOException.class)).isTrue();
    assertThat(root.is(FileNotFoundException.class)).isTrue();
    assertThat(root.is(InvalidDataException.class)).isFalse();
    assertThat(root.message()).isEqualTo("/no/such (No such file)");
  }

  @Test
  void takesExceptionsWhereTheyAreThere() {
    Exception failure = new SparkException(LOST + "a.B: c", new IOException("no space"));
    assertThat(TaskFailure.causes(failure))
        .extracting(Cause::message)
        .containsExactly(failure.getMessage(), "no space");
  }

  @Test
  void findsNothingBehindAnExecutorThatWasLost() {
    Exception failure =
        new SparkException(LOST + "ExecutorLostFailure (executor 0 exited) Reason: code 50");
    assertThat(TaskFailure.causes(failure)).hasSize(1);
  }

  @Test
  void throwsAsTextWhatSparkWouldNotKnow() throws Exception {
    URL place = Hidden.class.getProtectionDomain().getCodeSource().getLocation();
    try (URLClassLoader jars = new URLClassLoader(new URL[] {place}, null)) {
      Class<?> hidden = jars.loadClass(Hidden.class.getName());
      Exception cause = (Exception) hidden.getConstructor(String.class).newInstance("at\n7");
      Throwable thrown = thrown(new IOException("no rows", cause));
      assertThat(thrown).isExactlyInstanceOf(RuntimeException.class).hasNoCause();
      assertThat(TaskFailure.causes(new SparkException(LOST, thrown)))
          .extracting(Cause::type, Cause::message)
          .endsWith(tuple(IOException.class.getName(), "no rows"), tuple(hidden.getName(), "at 7"));
    }
  }

  @Test
  void throwsWhatSparkKnowsAsItIs() {
    Exception own = new IOException("as it is");
    assertThat(thrown(own)).isSameAs(own);
  }

  /** Loaded again by another loader, it is none of Spark's. */
  public static final class Hidden extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public Hidden(String message) {
      super(message);
    }
  }

  private static Throwable thrown(Exception failure) {
    return catchThrowable(
        () ->
            TaskFailure.readable(
                () -> {
                  throw failure;
                }));
  }
}
