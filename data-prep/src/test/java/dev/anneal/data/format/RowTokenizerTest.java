package dev.anneal.data.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.Shared;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.Message;
import dev.anneal.data.token.SpecialTokens;
import dev.anneal.storage.Storage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RowTokenizerTest {
  private static ChatTokenizer tokenizer;

  @BeforeAll
  static void load() {
    tokenizer =
        ChatTokenizer.load(Shared.llamaTokenizer().toString(), new Storage(new Configuration()));
  }

  @AfterAll
  static void close() {
    if (tokenizer != null) {
      tokenizer.close();
    }
  }

  @Test
  void learnsEveryAssistantTurnWithItsEnd() throws Exception {
    Example chat =
        chat(
            "system",
            "Short.",
            "user",
            "Hi",
            "assistant",
            "Hello 🌍!",
            "user",
            "Ü?",
            "assistant",
            "Ö.");
    TokenizedRow row = tokenize(chat, LearnedPart.ANSWERS);

    assertThat(learned(row)).containsExactly("Hello 🌍!<|eot_id|>", "Ö.<|eot_id|>");
    assertThat(Arrays.stream(row.ids()).filter(id -> id == 128_000)).hasSize(1);
  }

  @Test
  void learnsAllButTheFirstTokenWhenAsked() throws Exception {
    TokenizedRow row = tokenize(chat("user", "Hi", "assistant", "Hello"), LearnedPart.WHOLE_ROW);

    assertThat(row.targetSpans()).containsExactly(1, row.length());
  }

  @Test
  void putsPlainTextBetweenBeginAndEnd() throws Exception {
    TokenizedRow row = tokenize(new Example.Text("Once upon a time"), LearnedPart.ANSWERS);

    assertThat(tokenizer.decode(row.ids(), SpecialTokens.KEEP))
        .isEqualTo("<|begin_of_text|>Once upon a time<|eot_id|>");
    assertThat(row.targetSpans()).containsExactly(1, row.length());
    String whole = "<|begin_of_text|>Once upon a time<|eot_id|>";
    assertThat(tokenize(new Example.Text(whole), LearnedPart.ANSWERS).ids()).isEqualTo(row.ids());
  }

  @Test
  void putsBeforeTextsWhatTheTokenizerDoesWhateverItsRole(@TempDir Path dir) throws Exception {
    try (ChatTokenizer withoutRoles = withTemplate(dir, "x")) {
      RowTokenizer rows = new RowTokenizer(withoutRoles, LearnedPart.ANSWERS);

      assertThat(rows.tokenize(new Example.Text("Once")).ids()).containsExactly(128_000, 12_805);
      assertThat(withoutRoles.description())
          .isEqualTo("Begin of text: <|begin_of_text|> (128000); end of text: none.");
    }
  }

  @Test
  void learnsTheCallOfAToolButNotItsAnswer(@TempDir Path dir) throws Exception {
    String template =
        Files.readString(
            Path.of(RowTokenizerTest.class.getResource("/templates/llama31.jinja").toURI()));
    Map<String, Object> function = Map.of("name", "rain", "arguments", Map.of("city", "Köln"));
    List<Message> messages =
        List.of(
            new Message("user", "Rain?"),
            new Message(
                "assistant", null, Map.of("tool_calls", List.of(Map.of("function", function)))),
            new Message("tool", Map.of("mm", 0), Map.of()),
            new Message("assistant", "No."));
    Map<String, Object> variables =
        Map.of("tools", List.of(Map.of("name", "rain")), "date_string", "1 May 2026");
    try (ChatTokenizer withTools = withTemplate(dir, template)) {
      TokenizedRow row =
          new RowTokenizer(withTools, LearnedPart.ANSWERS)
              .tokenize(new Example.Chat(messages, variables));

      assertThat(learned(row))
          .containsExactly(
              "{\"name\": \"rain\", \"parameters\": {\"city\": \"Köln\"}}<|eot_id|>",
              "No.<|eot_id|>");
      assertThat(tokenizer.decode(row.ids(), SpecialTokens.KEEP))
          .contains("Today Date: 1 May 2026", "{\n    \"name\": \"rain\"\n}");
    }
  }

  @Test
  void neverLearnsAPositionThatNothingPredicts() throws Exception {
    TokenizedRow row =
        tokenize(new Example.Tokens(new int[] {4, 5, 6}, new int[] {0, 3}), LearnedPart.ANSWERS);

    assertThat(row.targetSpans()).containsExactly(1, 3);
    assertThat(
            tokenize(new Example.Tokens(new int[] {4}, new int[] {0, 1}), LearnedPart.ANSWERS)
                .targetSpans())
        .isEmpty();
  }

  @Test
  void cutsSpansWhereTheRowIsCut() {
    TokenizedRow row = new TokenizedRow(new int[] {1, 2, 3, 4, 5, 6}, new int[] {1, 2, 3, 5, 5, 6});

    assertThat(row.truncate(6)).isSameAs(row);
    assertThat(row.truncate(4).ids()).containsExactly(1, 2, 3, 4);
    assertThat(row.truncate(4).targetSpans()).containsExactly(1, 2, 3, 4);
    assertThat(row.truncate(3).targetSpans()).containsExactly(1, 2);
    assertThat(row.truncate(1).targetSpans()).isEmpty();
    assertThat(row.targetTokens()).isEqualTo(4);
  }

  @Test
  void splitsARowWithItsSpans() {
    TokenizedRow row =
        new TokenizedRow(new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9}, new int[] {1, 3, 5, 9});
    List<TokenizedRow> pieces = row.split(3);

    assertThat(pieces).hasSize(3);
    assertThat(pieces.get(0).targetSpans()).containsExactly(1, 3);
    assertThat(pieces.get(1).ids()).containsExactly(4, 5, 6);
    assertThat(pieces.get(1).targetSpans()).containsExactly(2, 3);
    assertThat(pieces.get(2).targetSpans()).containsExactly(1, 3);
    assertThat(new TokenizedRow(new int[] {1, 2, 3, 4}, new int[] {1, 2}).split(3)).hasSize(1);
  }

  @Test
  void refusesATemplateThatRewritesWhatCameBefore(@TempDir Path dir) throws Exception {
    String template =
        "{% for m in messages %}{% if loop.last or m.role == 'user' %}{{ m.content }};"
            + "{% endif %}{% endfor %}";
    try (ChatTokenizer forgetful = withTemplate(dir, template)) {
      RowTokenizer rows = new RowTokenizer(forgetful, LearnedPart.ANSWERS);

      assertThatThrownBy(
              () ->
                  rows.tokenize(chat("user", "a", "assistant", "b", "user", "c", "assistant", "d")))
          .isInstanceOf(InvalidDataException.class)
          .hasMessageContaining("answers cannot be told from prompts");
    }
  }

  @Test
  void countsARowThatTheTemplateRefusesAsBad(@TempDir Path dir) throws Exception {
    String template =
        "{% if messages[0].role == 'system' %}{{ raise_exception('No system, please') }}{% endif %}x";
    try (ChatTokenizer strict = withTemplate(dir, template)) {
      RowTokenizer rows = new RowTokenizer(strict, LearnedPart.ANSWERS);

      assertThatThrownBy(() -> rows.tokenize(chat("system", "a", "assistant", "b")))
          .isInstanceOf(BadRowException.class)
          .hasMessage("the chat template refuses the row: No system, please");
    }
  }

  private static ChatTokenizer withTemplate(Path dir, String template) throws Exception {
    Files.copy(Shared.llamaTokenizer().resolve("tokenizer.json"), dir.resolve("tokenizer.json"));
    Files.writeString(dir.resolve("chat_template.jinja"), template);
    return ChatTokenizer.load(dir.toString(), new Storage(new Configuration()));
  }

  private static TokenizedRow tokenize(Example example, LearnedPart part) throws Exception {
    return new RowTokenizer(tokenizer, part).tokenize(example);
  }

  private static Example chat(String... rolesAndContents) {
    List<Message> messages = new ArrayList<>();
    for (int i = 0; i < rolesAndContents.length; i += 2) {
      messages.add(new Message(rolesAndContents[i], rolesAndContents[i + 1]));
    }
    return new Example.Chat(messages);
  }

  private static List<String> learned(TokenizedRow row) {
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < row.targetSpans().length; i += 2) {
      int[] ids = Arrays.copyOfRange(row.ids(), row.targetSpans()[i], row.targetSpans()[i + 1]);
      texts.add(tokenizer.decode(ids, SpecialTokens.KEEP));
    }
    return texts;
  }
}
