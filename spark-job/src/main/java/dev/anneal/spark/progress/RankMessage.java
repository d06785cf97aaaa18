package dev.anneal.spark.progress;

import dev.anneal.data.task.ObjectBytes;
import java.io.Serializable;

/**
 * An event with the attempt that it belongs to. It travels as bytes: Spark reads what it carries
 * with a class loader of its own, which knows nothing of jars that came with {@code --jars}.
 *
 * @param attempt the attempt at the training stage that the rank belongs to
 */
record RankMessage(String attempt, RankEvent event) implements Serializable {

  byte[] toBytes() {
    return ObjectBytes.of(this);
  }

  static RankMessage of(byte[] bytes) {
    return (RankMessage) ObjectBytes.read(bytes);
  }
}
