package dev.anneal.spark.tracking.openlineage;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.util.Optional;
import org.apache.spark.SparkContext;

/**
 * OpenLineage's own listener, where a user has put it into Spark ({@code spark.extraListeners}):
 * what is sent through it goes where {@code spark.openlineage.*} says, as part of the application
 * that it tells of. Its classes are its user's, so they are found by name.
 */
final class LineageListener {
  private static final String LISTENER = "io.openlineage.spark.agent.OpenLineageSparkListener";

  private final Object emitter;

  private LineageListener(Object emitter) {
    this.emitter = emitter;
  }

  /**
   * The listener of an application.
   *
   * @throws ReflectiveOperationException if it is one of a version that has other parts
   */
  static Optional<LineageListener> of(SparkContext spark) throws ReflectiveOperationException {
    for (Object listener : spark.listenerBus().listeners()) {
      if (listener.getClass().getName().equals(LISTENER)) {
        Object emitter = field(field(listener, "contextFactory"), "openLineageEventEmitter");
        return Optional.ofNullable(emitter).map(LineageListener::new);
      }
    }
    return Optional.empty();
  }

  private static Object field(Object of, String name) throws ReflectiveOperationException {
    if (of == null) {
      return null;
    }
    Field field = of.getClass().getDeclaredField(name);
    field.setAccessible(true);
    return field.get(of);
  }

  LineageEvents.Application application() throws ReflectiveOperationException {
    return new LineageEvents.Application(
        get("getJobNamespace"), get("getApplicationJobName"), get("getApplicationRunId"));
  }

  private String get(String getter) throws ReflectiveOperationException {
    return String.valueOf(emitter.getClass().getMethod(getter).invoke(emitter));
  }

  /** Sends an event, as its specification writes it. */
  void emit(String json) throws ReflectiveOperationException {
    ClassLoader loader = emitter.getClass().getClassLoader();
    Class<?> utils = Class.forName("io.openlineage.client.OpenLineageClientUtils", true, loader);
    Class<?> event = Class.forName("io.openlineage.client.OpenLineage$RunEvent", true, loader);
    try {
      Object read = utils.getMethod("runEventFromJson", String.class).invoke(null, json);
      emitter.getClass().getMethod("emit", event).invoke(emitter, read);
    } catch (InvocationTargetException e) {
      throw new ReflectiveOperationException(String.valueOf(e.getCause()), e);
    }
  }
}
