package dev.anneal.data.task;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.ObjectStreamClass;
import java.io.UncheckedIOException;

/**
 * Objects as bytes, for what goes through Spark between executors and the driver. Spark reads what
 * it carries with a class loader of its own, which knows nothing of jars that came with {@code
 * --jars}; bytes are read back with the loader that found this class.
 */
public final class ObjectBytes {
  private ObjectBytes() {}

  /** The object, which and whose parts are serializable. */
  public static byte[] of(Object object) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(object);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  /**
   * The object that {@link #of} was given.
   *
   * @throws IllegalStateException if one of its classes is not the same here
   */
  public static Object read(byte[] bytes) {
    try (ObjectInputStream in = new OwnObjects(bytes)) {
      return in.readObject();
    } catch (IOException | ClassNotFoundException e) {
      throw new IllegalStateException(
          "Driver and executors run different versions of Anneal (" + e + "): send both the same.",
          e);
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
        return Class.forName(described.getName(), false, ObjectBytes.class.getClassLoader());
      } catch (ClassNotFoundException primitive) {
        return super.resolveClass(described);
      }
    }
  }
}
