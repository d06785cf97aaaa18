package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Every package of every module says in its {@code package-info.java} what it is for. */
class PackageInfoTest {
  private static final Path HOME = Path.of(System.getProperty("anneal.home"));
  private static final Pattern SAID = Pattern.compile("(?s)/\\*\\*.*\\w.*\\*/\\s*package .*");

  @Test
  void everyPackageSaysWhatItIsFor() throws IOException {
    TreeSet<Path> silent = new TreeSet<>();
    TreeSet<Path> packages = new TreeSet<>();
    for (Path module : modules()) {
      try (Stream<Path> files = Files.walk(module.resolve("src/main/java"))) {
        files
            .filter(file -> file.toString().endsWith(".java"))
            .forEach(file -> packages.add(HOME.relativize(file.getParent())));
      }
    }
    for (Path folder : packages) {
      Path info = HOME.resolve(folder).resolve("package-info.java");
      if (!Files.exists(info) || !SAID.matcher(Files.readString(info)).matches()) {
        silent.add(folder);
      }
    }
    assertThat(packages).hasSizeGreaterThan(40);
    assertThat(silent).isEmpty();
  }

  private static List<Path> modules() throws IOException {
    try (Stream<Path> folders = Files.list(HOME)) {
      return folders.filter(folder -> Files.isDirectory(folder.resolve("src/main/java"))).toList();
    }
  }
}
