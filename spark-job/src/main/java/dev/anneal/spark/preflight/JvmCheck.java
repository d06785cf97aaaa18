package dev.anneal.spark.preflight;

import dev.anneal.spark.BadRequestException;
import java.nio.Buffer;

/** Whether this JVM gives Arrow, which prepared data is written with, the access that it needs. */
public final class JvmCheck {
  private static final String OPTION = "--add-opens=java.base/java.nio=ALL-UNNAMED";

  private JvmCheck() {}

  public static void check() {
    // Arrow lies in the unnamed module of the loader that has Anneal's jars
    Module arrows = JvmCheck.class.getModule();
    if (!Buffer.class.getModule().isOpen(Buffer.class.getPackageName(), arrows)) {
      throw new BadRequestException(
          "The driver's JVM keeps java.nio closed to Arrow, as a standalone cluster's workers and plain java commands start it: add --conf \"spark.driver.extraJavaOptions=%s\", or this option to the java command."
              .formatted(OPTION));
    }
  }
}
