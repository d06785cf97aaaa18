package dev.anneal.data.task;

import dev.anneal.data.error.OneLine;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.SparkContext;

/**
 * What stands behind a failure of Spark's. An exception of a class that Spark's class loader does
 * not know comes to the driver as {@code UnknownReason}, so tasks throw such ones as text; one that
 * cannot be serialized Spark itself only tells as text. Both are read here.
 */
public final class TaskFailure {
  private static final int MOST_CAUSES = 50;
  private static final String CAUSED_BY = "Caused by: ";
  private static final String AS_TEXT = "A task failed: ";

  private static final String THROWABLE = "((?:[a-z]\\w*\\.)+[A-Z][\\w$]*)(?:: (.*))?";

  /** Where Spark's own words end and the exception of a task begins, in the same or next line. */
  private static final Pattern TASK =
      Pattern.compile(
          "\\(TID \\d+\\) \\(\\S+ executor \\S+\\): |finished unsuccessfully\\.\\R|^" + AS_TEXT);

  private static final Pattern FIRST = Pattern.compile(THROWABLE);
  private static final Pattern CAUSE = Pattern.compile("(?m)^" + CAUSED_BY + THROWABLE);

  /** Behind it come the driver's own frames. */
  private static final String DRIVER = "Driver stacktrace:";

  private TaskFailure() {}

  /**
   * One of the exceptions.
   *
   * @param type name of its class
   * @param message may be {@code null}; of one that is known by its text alone, the first line
   */
  public record Cause(String type, String message) {
    /** Whether it is of this class or one below it. */
    public boolean is(Class<?> expected) {
      try {
        ClassLoader here = TaskFailure.class.getClassLoader();
        return expected.isAssignableFrom(Class.forName(type, false, here));
      } catch (ClassNotFoundException | LinkageError unknown) {
        return false;
      }
    }
  }

  /** In a task: does the work; throws what Spark can read. */
  public static <T> T readable(Callable<T> work) {
    try {
      return work.call();
    } catch (Exception e) {
      throw readable(e);
    }
  }

  /** In a task: the same elements, with exceptions that Spark can read. */
  public static <T> Iterator<T> readable(Iterator<T> elements) {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return readable(elements::hasNext);
      }

      @Override
      public T next() {
        return readable(elements::next);
      }
    };
  }

  private static RuntimeException readable(Exception failure) {
    List<Throwable> chain = chain(failure);
    if (chain.stream().allMatch(TaskFailure::isKnownToSpark)) {
      // Spark looks for exceptions of its own, such as those of a lost shuffle
      TaskFailure.<RuntimeException>throwAsItIs(failure);
    }
    String text =
        chain.stream()
            .map(t -> t.getClass().getName() + ": " + OneLine.of(String.valueOf(t.getMessage())))
            .collect(Collectors.joining("\n" + CAUSED_BY));
    RuntimeException told = new RuntimeException(AS_TEXT + text);
    told.setStackTrace(failure.getStackTrace());
    return told;
  }

  /** Throws a checked exception where none may be declared. */
  @SuppressWarnings("unchecked")
  private static <E extends Exception> void throwAsItIs(Exception failure) throws E {
    throw (E) failure;
  }

  private static boolean isKnownToSpark(Throwable failure) {
    ClassLoader loader = failure.getClass().getClassLoader();
    return loader == null || loader.equals(SparkContext.class.getClassLoader());
  }

  private static List<Throwable> chain(Throwable failure) {
    return Stream.iterate(failure, t -> t != null, Throwable::getCause).limit(MOST_CAUSES).toList();
  }

  /** The exceptions from the outermost to the root, at least one. */
  public static List<Cause> causes(Throwable failure) {
    List<Throwable> chain = chain(failure);
    List<Cause> causes = new ArrayList<>();
    chain.forEach(t -> causes.add(new Cause(t.getClass().getName(), t.getMessage())));
    causes.addAll(told(chain.get(chain.size() - 1).getMessage()));
    return causes;
  }

  private static List<Cause> told(String message) {
    List<Cause> causes = new ArrayList<>();
    String text = String.valueOf(message).split(DRIVER, 2)[0];
    Matcher task = TASK.matcher(text);
    if (task.find()) {
      Matcher found = FIRST.matcher(text).region(task.end(), text.length());
      if (found.lookingAt()) {
        causes.add(new Cause(found.group(1), found.group(2)));
        found.usePattern(CAUSE);
        while (found.find()) {
          causes.add(new Cause(found.group(1), found.group(2)));
        }
      }
    }
    return causes;
  }
}
