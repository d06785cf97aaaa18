package dev.anneal.spark.kubernetes;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A jar of the runtime jar's name that stands for all jars of the application. */
final class RuntimeJar {
  /** Where the image has the application's jars. */
  static final String PARTS = "/opt/anneal/parts";

  private static final Path APP = Cluster.HOME.resolve("spark-job/target/app");
  static final String IN_IMAGE = "local:///opt/anneal/jars/anneal-spark-runtime-4.1_2.13-0.1.0.jar";

  private static final String NAME = "anneal-spark-runtime-4.1_2.13-0.1.0.jar";

  private RuntimeJar() {}

  /** Writes it; returns {@code folder}. */
  static Path in(Path folder) throws IOException {
    Manifest manifest = new Manifest();
    Attributes attributes = manifest.getMainAttributes();
    attributes.put(Attributes.Name.MANIFEST_VERSION, "1.0");
    try (Stream<Path> jars = Files.list(APP)) {
      attributes.put(
          Attributes.Name.CLASS_PATH,
          jars.map(jar -> "file:%s/%s".formatted(PARTS, jar.getFileName()))
              .collect(Collectors.joining(" ")));
    }
    try (OutputStream file = Files.newOutputStream(folder.resolve(NAME));
        JarOutputStream jar = new JarOutputStream(file, manifest)) {
      jar.finish();
    }
    return folder;
  }
}
