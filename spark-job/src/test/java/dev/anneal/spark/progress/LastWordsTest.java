package dev.anneal.spark.progress;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LastWordsTest {

  @Test
  void areTheRootOfTheLastException() {
    assertThat(
            LastWords.of(
                """
                Spark Executor Command: "java" "-cp" ...
                ========================================
                26/11/28 10:00:00 ERROR Retry: java.io.IOException: no connection, trying again
                26/11/28 10:00:01 ERROR Inbox: An error happened while processing message
                org.apache.spark.SparkException: Exception thrown in awaitResult:
                \tat org.apache.spark.util.ThreadUtils$.awaitResult(ThreadUtils.scala:301)
                Caused by: java.lang.ClassNotFoundException: dev.anneal.spark.progress.Order
                \tat java.base/java.lang.Class.forName0(Native Method)
                \t... 12 more
                26/11/28 10:00:02 INFO ShutdownHookManager: Shutdown hook called
                """))
        .hasValue("java.lang.ClassNotFoundException: dev.anneal.spark.progress.Order");
  }

  @Test
  void areAnErrorWithoutAnException() {
    assertThat(
            LastWords.of(
                "26/11/28 10:00:01 ERROR CoarseGrainedExecutorBackend: Executor self-exiting due to: Driver went away\n"))
        .hasValue("Executor self-exiting due to: Driver went away");
  }

  @Test
  void areThoseOfAJvmThatDoesNotStart() {
    assertThat(
            LastWords.of(
                """
                Error occurred during initialization of VM
                agent library failed to init: nothing
                """))
        .hasValue(
            "Error occurred during initialization of VM: agent library failed to init: nothing");
    assertThat(
            LastWords.of(
                """
                Exception in thread "main" java.lang.UnsatisfiedLinkError: no jniopenblas in java.library.path
                \tat java.base/java.lang.ClassLoader.loadLibrary(ClassLoader.java:2434)
                """))
        .hasValue("java.lang.UnsatisfiedLinkError: no jniopenblas in java.library.path");
  }

  @Test
  void areThePlaceOfACrash() {
    assertThat(
            LastWords.of(
                """
                #
                # A fatal error has been detected by the Java Runtime Environment:
                #
                #  SIGSEGV (0xb) at pc=0x00007f, pid=12, tid=13
                #
                # Problematic frame:
                # C  [libtorch_cpu.so+0x1234]  at::native::copy_
                #
                """))
        .hasValue("SIGSEGV (0xb) in [libtorch_cpu.so+0x1234]  at::native::copy_");
  }

  /** Of an executor that was stopped after an attempt that failed for another's sake. */
  private static final String OUTLIVED =
      """
      26/11/28 10:00:00 ERROR Executor: Exception in task 1.0 in stage 3.0 (TID 9)
      dev.anneal.training.collective.CollectiveException: rank 1: a peer is gone
      \tat dev.anneal.training.collective.GlooCollectives.run(GlooCollectives.java:90)
      Caused by: java.lang.RuntimeException: Connection closed by peer [10.0.0.3]:4123
      \t... 12 more
      26/11/28 10:00:02 WARN Executor: Issue communicating with driver in heartbeater
      """;

  @Test
  void areNoneOfATaskThatTheProcessHasOutlived() {
    assertThat(LastWords.of(OUTLIVED)).isEmpty();
    assertThat(LastWords.ofDying(OUTLIVED)).isEmpty();
  }

  @Test
  void ofAProcessThatMayLiveAreThoseOfItsEnd() {
    String lived = "26/11/28 10:00:03 ERROR Utils: Aborting: java.io.IOException: no space\n";
    assertThat(LastWords.of(OUTLIVED + lived)).hasValue("java.io.IOException: no space");
    assertThat(LastWords.ofDying(OUTLIVED + lived + "Error: of a library\n")).isEmpty();
    String thrown =
        """
        26/11/28 10:00:04 ERROR SparkUncaughtExceptionHandler: Uncaught exception in thread Thread[Executor task launch worker for task 1.0,5,main]
        java.lang.OutOfMemoryError: Java heap space
        \tat java.base/java.util.Arrays.copyOf(Arrays.java:3512)
        """;
    assertThat(LastWords.ofDying(OUTLIVED + lived + thrown))
        .hasValue("java.lang.OutOfMemoryError: Java heap space");
    assertThat(LastWords.ofDying(OUTLIVED + "Terminating due to java.lang.OutOfMemoryError: x\n"))
        .hasValue("Terminating due to java.lang.OutOfMemoryError: x");
    assertThat(LastWords.ofDying("#  SIGBUS (0x7) at pc=0x00007f, pid=12\n" + lived))
        .hasValue("SIGBUS (0x7)");
  }

  @Test
  void areNoneWhereNothingIsWrong() {
    assertThat(
            LastWords.of(
                """
                26/11/28 10:00:00 WARN NativeCodeLoader: java.io.IOException: may be ignored
                26/11/28 10:00:00 INFO Executor: Finished task 0.0 in stage 1.0 (TID 3)
                """))
        .isEmpty();
  }
}
