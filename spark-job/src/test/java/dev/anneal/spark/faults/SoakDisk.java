package dev.anneal.spark.faults;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A small disk that all nodes share. */
final class SoakDisk implements SoakPlace {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String STEP = "step-";

  private final Filler filler;
  private final RunOutput output;

  SoakDisk(Path disk) {
    this.filler = new Filler(disk.resolve("filler"));
    this.output = new RunOutput(disk.resolve("soak"));
  }

  @Override
  public RunOutput output() {
    return output;
  }

  @Override
  public List<String> options() {
    return List.of();
  }

  Filler filler() {
    return filler;
  }

  @Override
  public Checkpoint lastCheckpoint() throws IOException {
    Path checkpoints = output.folder().resolve("checkpoints");
    if (!Files.isDirectory(checkpoints)) {
      return new Checkpoint(0, "");
    }
    try (Stream<Path> steps = Files.list(checkpoints)) {
      return steps
          .filter(step -> Files.exists(step.resolve("manifest.json")))
          .sorted(Comparator.reverseOrder())
          .flatMap(step -> checkpoint(step).stream())
          .findFirst()
          .orElse(new Checkpoint(0, ""));
    }
  }

  /** Empty where it is being taken away. */
  private static Optional<Checkpoint> checkpoint(Path folder) {
    int step = Integer.parseInt(folder.getFileName().toString().substring(STEP.length()));
    try {
      JsonNode manifest = JSON.readTree(Files.readAllBytes(folder.resolve("manifest.json")));
      return Optional.of(new Checkpoint(step, manifest.path("attempt").asText()));
    } catch (NoSuchFileException gone) {
      return Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public RunOutput result(Path folder) {
    return output;
  }

  @Override
  public void close() throws IOException {
    filler.empty();
  }
}
