package dev.anneal.spark.tracking;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * MLflow and TensorBoard as PyPI has them, in {@code target/tracking-venv}, where they are
 * installed at the first call: about 1 GB.
 */
final class Python {
  private static final Path VENV = Path.of("target", "tracking-venv");
  private static final Path SCRIPTS = Path.of("src", "test", "resources", "tracking");

  private Python() {}

  /** The folder of the commands. */
  static Path bin() throws IOException, InterruptedException {
    Path bin = VENV.resolve("bin").toAbsolutePath();
    if (!Files.exists(bin.resolve("mlflow"))) {
      run(Map.of(), List.of("python3", "-m", "venv", VENV.toString()));
      String requirements = SCRIPTS.resolve("requirements.txt").toString();
      run(Map.of(), List.of(bin.resolve("pip").toString(), "install", "-q", "-r", requirements));
    }
    return bin;
  }

  /** What a script says, as JSON. */
  static JsonNode script(String name, Map<String, String> environment, String... args)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(bin().resolve("python").toString());
    command.add(SCRIPTS.resolve(name).toString());
    command.addAll(List.of(args));
    return new ObjectMapper().readTree(run(environment, command));
  }

  private static String run(Map<String, String> environment, List<String> command)
      throws IOException, InterruptedException {
    Path err = Files.createTempFile("python", ".err");
    ProcessBuilder builder = new ProcessBuilder(command).redirectError(err.toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    String out = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertThat(process.waitFor()).as("%s%n%s%n%s", command, out, Files.readString(err)).isZero();
    Files.delete(err);
    return out;
  }
}
