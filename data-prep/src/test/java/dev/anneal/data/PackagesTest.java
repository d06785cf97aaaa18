package dev.anneal.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Packages of the module need one another in one direction, as their sources name them. */
class PackagesTest {
  private static final Path SOURCES =
      Path.of(System.getProperty("anneal.home"), "data-prep/src/main/java");
  private static final Pattern OWN_LINE = Pattern.compile("(?m)^package .*$");
  private static final Pattern NAMED =
      Pattern.compile("\\b(dev\\.anneal\\.data(\\.[a-z]\\w*)*)\\.");

  @Test
  void needEachOtherInOneDirection() throws IOException {
    SortedMap<String, Set<String>> needs = needs();

    assertThat(needs).hasSizeGreaterThan(5).containsKey("dev.anneal.data.prep");
    assertThat(needs.get("dev.anneal.data.prep")).contains("dev.anneal.data.source");
    assertThat(onCycles(needs)).isEmpty();
  }

  @Test
  void exceptionsNeedNothing() throws IOException {
    assertThat(needs().get("dev.anneal.data.error")).isEmpty();
  }

  @Test
  void aCycleIsFound() {
    assertThat(
            onCycles(
                Map.of(
                    "a",
                    Set.of("b", "leaf"),
                    "b",
                    Set.of("c"),
                    "c",
                    Set.of("a"),
                    "leaf",
                    Set.of())))
        .containsExactly("a", "b", "c");
  }

  /** Each package with those that its sources name, in imports or anywhere else. */
  private static SortedMap<String, Set<String>> needs() throws IOException {
    List<Path> files;
    try (Stream<Path> walk = Files.walk(SOURCES)) {
      files = walk.filter(file -> file.toString().endsWith(".java")).toList();
    }
    SortedMap<String, Set<String>> needs = new TreeMap<>();
    for (Path file : files) {
      String own = SOURCES.relativize(file.getParent()).toString().replace('/', '.');
      Set<String> named = needs.computeIfAbsent(own, name -> new TreeSet<>());
      NAMED
          .matcher(OWN_LINE.matcher(Files.readString(file)).replaceAll(""))
          .results()
          .map(found -> found.group(1))
          .filter(name -> !name.equals(own))
          .forEach(named::add);
    }
    return needs;
  }

  /** What is left when packages that need none of the rest are taken away, again and again. */
  private static Set<String> onCycles(Map<String, Set<String>> needs) {
    Set<String> rest = new TreeSet<>(needs.keySet());
    while (rest.removeIf(name -> needs.get(name).stream().noneMatch(rest::contains))) {}
    return rest;
  }
}
