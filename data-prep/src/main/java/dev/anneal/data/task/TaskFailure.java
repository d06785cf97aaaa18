package dev.anneal.data.task;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What stands behind a failure of Spark's. Where Spark's class loader does not know an exception of
 * a task, or one of its causes, the driver gets none of them but only the text of their stack trace
 * in the message of Spark's own exception; so that is read too.
 */
public final class TaskFailure {
  private static final int MOST_CAUSES = 50;
  private static final String THROWABLE = "((?:[a-z]\\w*\\.)+[A-Z][\\w$]*)(?:: (.*))?";

  /** Where Spark's own words end and the exception of a task begins, in the same or next line. */
  private static final Pattern TASK =
      Pattern.compile("\\(TID \\d+\\) \\(\\S+ executor \\S+\\): |finished unsuccessfully\\.\\R");

  private static final Pattern FIRST = Pattern.compile(THROWABLE);
  private static final Pattern CAUSE = Pattern.compile("(?m)^Caused by: " + THROWABLE);

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

  /** The exceptions from the outermost to the root, at least one. */
  public static List<Cause> causes(Throwable failure) {
    List<Throwable> chain =
        Stream.iterate(failure, t -> t != null, Throwable::getCause).limit(MOST_CAUSES).toList();
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
