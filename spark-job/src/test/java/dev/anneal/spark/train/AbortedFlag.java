package dev.anneal.spark.train;

import dev.anneal.training.collective.Collectives;
import java.lang.reflect.Proxy;
import java.util.concurrent.atomic.AtomicBoolean;

/** A group that only knows whether it was aborted. */
final class AbortedFlag {
  private final AtomicBoolean aborted = new AtomicBoolean();

  Collectives collectives() {
    return (Collectives)
        Proxy.newProxyInstance(
            Collectives.class.getClassLoader(),
            new Class<?>[] {Collectives.class},
            (group, method, args) -> {
              if (method.getName().equals("abort")) {
                aborted.set(true);
              }
              return null;
            });
  }

  boolean aborted() {
    return aborted.get();
  }
}
