package dev.anneal.training.checkpoint;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.io.WrittenFile;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointManifestTest {
  private static final String SHA256 = "ab".repeat(32);
  private static final String WHERE = "out/manifest.json";

  private static final CheckpointManifest MANIFEST =
      new CheckpointManifest(
          200,
          2,
          "run-1",
          new TreeMap<>(Map.of("seed", "1", "lora.r", "16", "model", "line\n\"two\" ä")),
          0,
          List.of(
              new WrittenFile("run-1/rank-00000-of-00002.safetensors", 1L << 40, SHA256),
              new WrittenFile("run-1/rank-00001-of-00002.safetensors", 0, SHA256)));

  private static final String JSON = new String(MANIFEST.toJson(), UTF_8);

  @Test
  void isReadBackAsItWasWritten() {
    assertThat(parse(JSON)).isEqualTo(MANIFEST);
    assertThat(parse(JSON).toJson()).isEqualTo(MANIFEST.toJson());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "run-1/../../x",
        "../run-1/x",
        "/run-1/x",
        "run-1//x",
        "run-1/./x",
        "run-1/",
        "run-1",
        "run-2/x",
        "run-1/a\\\\b",
        "run-1/a\\nb",
        "run-1/a\\u0000",
        "run-1/c:x",
        "run-1/.hidden",
        "file:run-1/x",
        ""
      })
  void refusesAFileThatMayLieElsewhere(String name) {
    String json = JSON.replace("run-1/rank-00000-of-00002.safetensors", name);
    assertThat(json).isNotEqualTo(JSON);
    assertInvalid(json, "is not one of the folder run-1");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"step\": 200 | \"step\": -1 | step must be 0 or more, not -1",
        "\"step\": 200 | \"step\": 1.5 | step must be a whole number, not 1.5",
        "\"step\": 200 | \"step\": 1e999 | step must be a whole number",
        "\"step\": 200 | \"step\": \"200\" | step must be a whole number",
        "\"step\": 200 | \"step\": null | step is missing",
        "\"step\": 200, | '' | step is missing",
        "\"step\": 200 | \"step\": 200, \"step\": 200 | is not valid JSON",
        "\"step\": 200 | \"step\": 200, \"x\": 200 | x is not known",
        "\"bytes\": 0 | \"bytes\": -1 | has -1 bytes",
        "\"bytes\": 0 | \"bytes\": 9223372036854775808 | must be a whole number",
        "\"bytes\": 0 | \"bytes\": 0, \"y\": 1 | files[1].y is not known",
        "\"world_size\": 2 | \"world_size\": 0 | world_size must be 1 to 100000, not 0",
        "\"world_size\": 2 | \"world_size\": 3 | 2 files cannot be of 3 ranks",
        "\"world_size\": 2 | \"world_size\": 4294967298 | a whole number of 32 bits",
        "\"attempt\": \"run-1\" | \"attempt\": \"..\" | attempt '..' is not a plain name",
        "\"attempt\": \"run-1\" | \"attempt\": \"run-1/x\" | is not a plain name",
        "\"seed\": \"1\" | \"seed\": 1 | identity.seed must be text",
        "rank-00001 | rank-00000 | is named twice",
        "abab\" | abag\" | is not 64 hexadecimal digits",
        "abab\" | ab\" | is not 64 hexadecimal digits",
        "\"anneal_checkpoint\": 1 | \"anneal_checkpoint\": 2 | reads only 1",
        "\"anneal_checkpoint\": 1, | '' | anneal_checkpoint is missing"
      })
  void refusesWhatIsNotAManifest(String from, String to, String problem) {
    assertThat(JSON).contains(from);
    assertInvalid(JSON.replace(from, to), problem);
  }

  @Test
  void refusesWhatIsNoJson() {
    assertInvalid("", "is not a JSON object");
    assertInvalid("[]", "is not a JSON object");
    assertInvalid(JSON + "x", "is not valid JSON");
    assertInvalid(JSON.substring(0, JSON.length() / 2), "is not valid JSON");
    assertInvalid("{\"files\":" + "[".repeat(100_000), "is not valid JSON");
    assertInvalid(" ".repeat(40 << 20), "too many");
    assertThatThrownBy(() -> CheckpointManifest.parse(new byte[] {'{', (byte) 0xff, '}'}, WHERE))
        .isInstanceOf(InvalidCheckpointException.class)
        .hasMessageContaining("not UTF-8");
  }

  @Test
  void isNeverMadeOfNamesThatItWouldNotRead() {
    List<WrittenFile> files = List.of(new WrittenFile("run-1/../x", 0, SHA256));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new CheckpointManifest(1, 1, "run-1", new TreeMap<>(), 0, files));
  }

  private static CheckpointManifest parse(String json) {
    return CheckpointManifest.parse(json.getBytes(UTF_8), WHERE);
  }

  private static void assertInvalid(String json, String problem) {
    assertThatThrownBy(() -> parse(json))
        .isInstanceOf(InvalidCheckpointException.class)
        .hasMessageStartingWith(WHERE)
        .hasMessageContaining(problem)
        .satisfies(e -> assertThat(e.getMessage().lines()).hasSize(1))
        .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(300).endsWith("."));
  }
}
