package dev.anneal.data.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.TinyTokenizer;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.Message;
import dev.anneal.data.token.SpecialTokens;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which part of a conversation is learned under which kind of template. */
class AnswerFinderTest {
  private static final Message QUESTION = new Message("user", "q");
  private static final Message ANSWER = new Message("assistant", "a");

  @TempDir Path folder;

  @Test
  void whatStandsBehindTheEndOfATurnIsNotLearned() throws Exception {
    String chatMl =
        "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}</s>\n{% endfor %}"
            + "{% if add_generation_prompt %}<s>assistant\n{% endif %}";
    assertThat(learned(chatMl, QUESTION, ANSWER, QUESTION, ANSWER))
        .containsExactly("a</s>", "a</s>");
  }

  @Test
  void aMarkThatIsNotSpecialEndsATurnToo() throws Exception {
    TinyTokenizer.write(folder);
    Path config = folder.resolve("tokenizer_config.json");
    Files.writeString(
        config,
        Files.readString(config)
            .replaceFirst(
                "\\{",
                "{\"added_tokens_decoder\":{\"258\":{\"content\":\"<|im_end|>\",\"special\":false}},"));
    String chatMl =
        "{% for m in messages %}{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            + "{% if add_generation_prompt %}assistant\n{% endif %}";
    assertThat(learnedUnder(chatMl, QUESTION, ANSWER)).containsExactly("a<|im_end|>");
  }

  @Test
  void marksAreFoundHoweverTheyAreWritten() throws Exception {
    String marking =
        "{% for m in messages %}{{ m.role }}:{%+ generation +%}{{ m.content }}{%+ endgeneration"
            + " %}{% endfor %}";
    assertThat(learned(marking, QUESTION, ANSWER)).containsExactly("q", "a");
    String commented =
        "{# {% generation %} #}{% for m in messages %}{{ m.content }}</s>{% endfor %}";
    assertThat(learned(commented, QUESTION, ANSWER)).containsExactly("a</s>");
  }

  @Test
  void halfACharacterIsFoundWhereverItStands() {
    String template =
        "{% for m in messages %}{{ m.reasoning_content }}{{ m.content }}</s>{% endfor %}";
    Message half = new Message("assistant", "a", Map.of("thinking", "\ud83d"));
    assertThatThrownBy(() -> learned(template, QUESTION, half))
        .isInstanceOf(BadRowException.class)
        .hasMessage("the rendered conversation holds half a character");
  }

  @Test
  void aPromptPutsNothingInTheWayOfLearningItAll() throws Exception {
    TinyTokenizer.write(folder);
    try (ChatTokenizer tokenizer =
        ChatTokenizer.load(folder.toString(), new Storage(new Configuration()))) {
      RowTokenizer all = new RowTokenizer(tokenizer, LearnedPart.WHOLE_ROW);
      Message before = new Message("assistant", "b").asPrompt();
      TokenizedRow row =
          all.tokenize(new Example.Chat(List.of(QUESTION, before, QUESTION, ANSWER)));
      assertThat(row.targetTokens()).isEqualTo(row.length() - 1);

      Message leftOut = new Message(before.fields(), Message.Part.LEFT_OUT);
      assertThatThrownBy(
              () -> all.tokenize(new Example.Chat(List.of(QUESTION, leftOut.asPrompt()))))
          .isInstanceOf(BadRowException.class)
          .hasMessageContaining("is not to be learned, but data.train_on_prompt learns every turn");
    }
  }

  @Test
  void aPromptMayBeginTheThoughtOfAnAnswer() throws Exception {
    String reasoning =
        "{% for m in messages %}<s>{{ m.role }}:{{ m.content }}</s>{% endfor %}"
            + "{% if add_generation_prompt %}<s>assistant:<think>\n{% endif %}";
    assertThat(learned(reasoning, QUESTION, new Message("assistant", "<think>\nt</think>a")))
        .containsExactly("t</think>a</s>");
    assertThat(learned(reasoning, QUESTION, ANSWER)).containsExactly("a</s>");
  }

  @Test
  void aTemplateThatMarksDecides() throws Exception {
    String marking =
        "{% for m in messages %}<s>{{ m.role }}:{% if m.role == 'assistant' %}"
            + "{% generation %}{{ m.content }}</s>\n{% endgeneration %}"
            + "{% else %}{{ m.content }}</s>{% endif %}{% endfor %}";
    assertThat(learned(marking, QUESTION, ANSWER)).containsExactly("a</s>\n");
    Message before = new Message("assistant", "b").asPrompt();
    assertThat(learned(marking, QUESTION, before, QUESTION, ANSWER)).containsExactly("a</s>\n");
  }

  @Test
  void aTurnThatIsLeftOutMustBeAmongThoseThatTheTemplateMarks() {
    String marksTheLast =
        "{% for m in messages %}{% if loop.last %}{% generation %}{{ m.content }}"
            + "{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}";
    Message before = new Message("assistant", "b").asPrompt();
    assertThatThrownBy(() -> learned(marksTheLast, QUESTION, before, QUESTION, ANSWER))
        .isInstanceOf(BadRowException.class)
        .hasMessageContaining("marks 1 parts of 2 turns");
  }

  private List<String> learned(String template, Message... turns)
      throws IOException, BadRowException {
    TinyTokenizer.write(folder);
    return learnedUnder(template, turns);
  }

  private List<String> learnedUnder(String template, Message... turns)
      throws IOException, BadRowException {
    Files.writeString(folder.resolve("chat_template.jinja"), template);
    try (ChatTokenizer tokenizer =
        ChatTokenizer.load(folder.toString(), new Storage(new Configuration()))) {
      TokenizedRow row =
          new AnswerFinder(tokenizer).find(new Example.Chat(List.of(turns), Map.of()));
      List<String> parts = new ArrayList<>();
      int[] spans = row.targetSpans();
      for (int i = 0; i < spans.length; i += 2) {
        int[] ids = Arrays.copyOfRange(row.ids(), spans[i], spans[i + 1]);
        parts.add(tokenizer.decode(ids, SpecialTokens.KEEP));
      }
      return parts;
    }
  }
}
