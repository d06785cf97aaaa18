package dev.anneal.spark.progress;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.ObjectStreamClass;
import java.io.Serializable;
import java.io.UncheckedIOException;

/**
 * An event with the attempt that it belongs to. It travels as bytes: Spark reads what it carries
 * with a class loader of its own, which knows nothing of jars that came with {@code --jars}.
 *
 * @param attempt the attempt at the training stage that the rank belongs to
 */
record RankMessage(String attempt, RankEvent event) implements Serializable {

  byte[] toBytes() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(this);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  static RankMessage of(byte[] bytes) {
    try (ObjectInputStream in = new OwnObjects(bytes)) {
      return (RankMessage) in.readObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (ClassNotFoundException e) {
      throw new IllegalStateException("Driver and executors run different versions of Anneal.", e);
    }
  }

  /** Finds classes where this one was found, whatever thread reads. */
  private static final class OwnObjects extends ObjectInputStream {
    OwnObjects(byte[] bytes) throws IOException {
      super(new ByteArrayInputStream(bytes));
    }

    @Override
    protected Class<?> resolveClass(ObjectStreamClass described)
        throws IOException, ClassNotFoundException {
      try {
        return Class.forName(described.getName(), false, RankMessage.class.getClassLoader());
      } catch (ClassNotFoundException primitive) {
        return super.resolveClass(described);
      }
    }
  }
}
