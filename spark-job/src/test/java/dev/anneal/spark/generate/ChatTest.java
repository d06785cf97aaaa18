package dev.anneal.spark.generate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.spark.LocalSpark;
import dev.anneal.spark.generate.Commands.Executed;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A chat by the command, over standard input. */
class ChatTest {
  private static final String SUM = "What is four plus one?";
  private static final ObjectMapper JSON = new ObjectMapper();
  private static SparkSession spark;

  @TempDir Path dir;

  @BeforeAll
  static void start() {
    spark = LocalSpark.session(2);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @Test
  void answersAsConversationsOfAFileAreAnswered() throws IOException {
    String first = answer(user(SUM));
    String second = answer(user(SUM), said("assistant", first), user("Sing."));
    String told = answer(said("system", "Be brief."), user(SUM));
    String chat =
        String.join("\n", SUM, "", "Sing.", "/reset", SUM, "/reset", "/system Be brief.", SUM, "");
    for (String[] ranks :
        List.of(
            new String[0],
            new String[] {"--set", "cluster.nodes=2", "--set", "base_weights.shard=world"})) {
      Executed executed = chat(chat, ranks);
      assertThat(executed.code()).as(executed.err()).isZero();
      assertThat(executed.out()).isEqualTo(String.join("\n", first, second, first, told, ""));
    }
    assertThat(second).isNotEqualTo(first);
  }

  @Test
  void stopsAtTextsAndEndsWhenItIsTold() throws IOException {
    String whole = answer(user(SUM));
    String stop = whole.substring(whole.length() / 2, whole.length() / 2 + 3);
    Executed executed = chat(SUM + "\n/exit\n" + SUM + "\n", "--stop", stop);
    assertThat(executed.code()).as(executed.err()).isZero();
    assertThat(executed.out()).isEqualTo(whole.substring(0, whole.indexOf(stop)) + "\n");
  }

  @Test
  void saysWhatItDoesNotTakeAndGoesOn() throws IOException {
    String first = answer(user(SUM));
    Executed executed = chat("/nothing\n/help\n" + "word ".repeat(600) + "\n" + SUM + "\n");
    assertThat(executed.code()).as(executed.err()).isZero();
    assertThat(executed.out()).isEqualTo(first + "\n");
    assertThat(executed.err())
        .contains("There is no /nothing: /help", "/system TEXT")
        .containsPattern(
            "has [0-9,]+ tokens with this turn, and the model's context has 512: /reset");
  }

  @Test
  void aLostModelEndsIt() {
    // nobody types
    InputStream silent =
        new InputStream() {
          @Override
          public int read() {
            try {
              new CountDownLatch(1).await();
            } catch (InterruptedException e) {
              Thread.currentThread().interrupt();
            }
            return -1;
          }

          @Override
          public int read(byte[] into, int offset, int length) {
            return read();
          }
        };
    Executed executed =
        Commands.generate(
            said -> {
              if (said.contains("Ready:")) {
                spark.sparkContext().cancelAllJobs();
              }
            },
            silent,
            "--chat");
    assertThat(executed.code()).isEqualTo(1);
    assertThat(executed.err()).contains("anneal: Generation failed: ");
  }

  private static Executed chat(String typed, String... args) {
    String[] all = new String[args.length + 1];
    all[0] = "--chat";
    System.arraycopy(args, 0, all, 1, args.length);
    return Commands.generate(said -> {}, new ByteArrayInputStream(typed.getBytes(UTF_8)), all);
  }

  /** What the same conversation gives as a prompt of a file. */
  @SafeVarargs
  private String answer(Map<String, String>... messages) throws IOException {
    Path prompts = dir.resolve("prompts.jsonl");
    Files.writeString(prompts, JSON.writeValueAsString(Map.of("messages", messages)));
    Executed executed = Commands.generate("--prompts", prompts.toString());
    assertThat(executed.code()).as(executed.err()).isZero();
    JsonNode line = Commands.parse(executed.out()).get(0);
    return line.get("text").textValue();
  }

  private static Map<String, String> user(String text) {
    return said("user", text);
  }

  private static Map<String, String> said(String role, String text) {
    return Map.of("role", role, "content", text);
  }
}
