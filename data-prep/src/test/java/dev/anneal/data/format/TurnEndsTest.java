package dev.anneal.data.format;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.TinyTokenizer;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whether a model learns to stop, under templates written as the published ones of their kind. */
class TurnEndsTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  private static final String LLAMA_3 =
      """
      {{- bos_token }}
      {%- for message in messages %}
          {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
      {%- endfor %}
      {%- if add_generation_prompt %}
          {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
      {%- endif %}
      """;
  private static final String CHATML =
      """
      {%- for message in messages %}
          {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
      {%- endfor %}
      {%- if add_generation_prompt %}
          {{- '<|im_start|>assistant\\n' }}
      {%- endif %}
      """;
  private static final String MISTRAL =
      """
      {{- bos_token }}
      {%- if messages[0].role == 'system' %}
          {{- raise_exception('Only user and assistant roles are supported!') }}
      {%- endif %}
      {%- for message in messages %}
          {%- if message.role == 'user' %}
              {{- '[INST] ' + message.content + ' [/INST]' }}
          {%- else %}
              {{- ' ' + message.content + eos_token }}
          {%- endif %}
      {%- endfor %}
      """;
  private static final String GEMMA =
      """
      {{- bos_token }}
      {%- for message in messages %}
          {%- set role = 'model' if message.role == 'assistant' else message.role %}
          {{- '<start_of_turn>' + role + '\\n' + message.content | trim + '<end_of_turn>\\n' }}
      {%- endfor %}
      {%- if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}
      """;
  private static final String REASONING =
      """
      {%- for message in messages %}
          {{- '<|im_start|>' + message.role + '\\n' }}
          {%- if message.role == 'assistant' %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}
          {{- message.content + '<|im_end|>\\n' }}
      {%- endfor %}
      {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}
      """;
  private static final String MARKED =
      """
      {%- for message in messages %}
          {%- if message.role == 'assistant' %}
              {{- '<|im_start|>assistant\\n' }}{% generation %}{{ message.content + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}
          {%- else %}
              {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
          {%- endif %}
      {%- endfor %}
      """;
  private static final String END_BETWEEN_TURNS =
      """
      {%- for message in messages %}
          {{- message.role + ': ' }}
          {%- if message.role == 'assistant' %}
              {%- generation %}{{ message.content }}{{ '' if loop.last else eos_token }}{% endgeneration %}
          {%- else %}
              {{- message.content }}
          {%- endif %}
          {{- '\\n' }}
      {%- endfor %}
      """;
  private static final String ONLY_WITH_TOOLS =
      "{% if not tools %}{{ raise_exception('tools are needed') }}{% endif %}";

  private static final String ALPACA =
      """
      {%- for message in messages %}
          {%- if message.role == 'user' %}
              {{- '### Instruction:\\n' + message.content + '\\n\\n' }}
          {%- else %}
              {{- '### Response:\\n' + message.content + '\\n\\n' }}
          {%- endif %}
      {%- endfor %}
      {%- if add_generation_prompt %}{{ '### Response:\\n' }}{% endif %}
      """;
  private static final String BEGINS_ONLY =
      """
      {%- for message in messages %}
          {{- '<|' + message.role + '|>' + message.content }}
      {%- endfor %}
      {%- if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}
      """;
  private static final String MARKED_WITHOUT_END =
      """
      {%- for message in messages %}
          {{- '<|im_start|>' + message.role + '\\n' }}
          {%- if message.role == 'assistant' %}
              {%- generation %}{{ message.content }}{% endgeneration %}{{ '<|im_end|>\\n' }}
          {%- else %}
              {{- message.content + '<|im_end|>\\n' }}
          {%- endif %}
      {%- endfor %}
      """;
  private static final String BEGIN_BEHIND_THE_ANSWER =
      """
      {%- for message in messages %}
          {{- message.role + ': ' + message.content + bos_token }}
      {%- endfor %}
      {%- if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}
      """;

  @TempDir Path dir;

  @ParameterizedTest
  @ValueSource(
      strings = {
        LLAMA_3,
        CHATML,
        MISTRAL,
        GEMMA,
        REASONING,
        MARKED,
        END_BETWEEN_TURNS,
        ONLY_WITH_TOOLS
      })
  void findsTheEndThatUsualTemplatesHave(String template) throws IOException {
    assertThat(areLearned(template, LearnedPart.ANSWERS)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {ALPACA, BEGINS_ONLY, MARKED_WITHOUT_END, BEGIN_BEHIND_THE_ANSWER})
  void findsThatThereIsNone(String template) throws IOException {
    assertThat(areLearned(template, LearnedPart.ANSWERS)).isFalse();
  }

  @Test
  void looksAtWhatIsLearned() throws IOException {
    assertThat(areLearned(MARKED_WITHOUT_END, LearnedPart.WHOLE_ROW)).isTrue();
    assertThat(areLearned(BEGINS_ONLY, LearnedPart.WHOLE_ROW)).isFalse();
  }

  @Test
  void takesNoTextForAMark() throws IOException {
    TinyTokenizer.write(dir);
    Files.writeString(dir.resolve("chat_template.jinja"), CHATML);

    assertThat(load(LearnedPart.ANSWERS)).isFalse();
  }

  @Test
  void stopsWhereTheModelsOwnSettingsSaySo() throws IOException {
    TinyTokenizer.write(dir);
    Files.writeString(dir.resolve("chat_template.jinja"), ALPACA.replace("\\n\\n", " #"));
    assertThat(load(LearnedPart.ANSWERS)).isFalse();

    // the id of the sign '#'
    Files.writeString(dir.resolve("generation_config.json"), "{\"eos_token_id\": [7, 35]}");
    assertThat(load(LearnedPart.ANSWERS)).isTrue();
    Files.writeString(dir.resolve("generation_config.json"), "{\"eos_token_id\": 35}");
    assertThat(load(LearnedPart.ANSWERS)).isTrue();
  }

  private boolean areLearned(String template, LearnedPart part) throws IOException {
    TinyTokenizer.write(dir);
    Path file = dir.resolve("tokenizer_config.json");
    ObjectNode config = (ObjectNode) JSON.readTree(file.toFile());
    config.put("chat_template", template).put("bos_token", "<s>");
    List.of("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>")
        .forEach(token -> config.withArray("additional_special_tokens").add(token));
    List.of("<start_of_turn>", "<end_of_turn>", "<|user|>", "<|assistant|>", "<|system|>")
        .forEach(token -> config.withArray("additional_special_tokens").add(token));
    Files.writeString(file, config.toString());
    return load(part);
  }

  private boolean load(LearnedPart part) {
    try (ChatTokenizer tokenizer =
        ChatTokenizer.load(dir.toString(), new Storage(new Configuration()))) {
      return new TurnEnds(tokenizer, part).areLearned();
    }
  }
}
