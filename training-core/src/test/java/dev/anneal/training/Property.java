package dev.anneal.training;

/** A system property that is what a test says until this closes. */
public final class Property implements AutoCloseable {
  private final String name;

  private Property(String name) {
    this.name = name;
  }

  /** Nobody else sets it meanwhile. */
  public static Property set(String name, Object value) {
    System.setProperty(name, value.toString());
    return new Property(name);
  }

  @Override
  public void close() {
    System.clearProperty(name);
  }
}
