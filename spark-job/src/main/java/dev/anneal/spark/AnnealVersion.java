package dev.anneal.spark;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** Which build this is; the build writes {@code version.properties}. */
public final class AnnealVersion {
  private static final Properties VERSIONS = read();

  private AnnealVersion() {}

  public static String anneal() {
    return VERSIONS.getProperty("anneal");
  }

  /** Of the libtorch that it was built with. */
  public static String libtorch() {
    return VERSIONS.getProperty("libtorch");
  }

  private static Properties read() {
    Properties properties = new Properties();
    try (InputStream in = AnnealVersion.class.getResourceAsStream("version.properties")) {
      properties.load(in);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return properties;
  }
}
