package dev.anneal.data.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Equal to Jinja itself, set up as Hugging Face does; {@code generate.py} made the texts. */
class TemplateCasesTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final TypeReference<LinkedHashMap<String, Object>> MAP = new TypeReference<>() {};

  static Stream<Arguments> cases() throws IOException {
    JsonNode cases = JSON.readTree(resource("cases.json"));
    return StreamSupport.stream(cases.spliterator(), false)
        .map(c -> Arguments.of(c.get("template").textValue(), c));
  }

  @ParameterizedTest(name = "{index} {0}")
  @MethodSource("cases")
  void rendersAsJinjaDoes(String name, JsonNode expected) throws IOException {
    String text = resource(name + ".jinja");
    Instant now = Instant.parse("2026-02-01T03:04:05Z");
    ChatTemplate template =
        new ChatTemplate(new TokenizerFiles("here", "{}", text, "<s>", "</s>", now));
    List<Message> messages = new ArrayList<>();
    for (JsonNode turn : expected.get("messages")) {
      Map<String, Object> fields = JSON.convertValue(turn, MAP);
      fields.computeIfPresent("content", (key, content) -> parts(content));
      messages.add(new Message(fields, Message.Part.PROMPT));
    }
    Map<String, Object> variables = JSON.convertValue(expected.get("variables"), MAP);
    GenerationPrompt prompt =
        expected.get("add_generation_prompt").booleanValue()
            ? GenerationPrompt.ADD
            : GenerationPrompt.OMIT;
    if (expected.get("refusal").isNull()) {
      assertThat(template.render(messages, variables, prompt).text())
          .isEqualTo(expected.get("rendered").textValue());
    } else {
      assertThatThrownBy(() -> template.render(messages, variables, prompt))
          .isInstanceOf(TemplateRefusalException.class)
          .hasMessage(expected.get("refusal").textValue());
    }
  }

  @SuppressWarnings("unchecked")
  private static Object parts(Object content) {
    boolean parts =
        content instanceof List<?> list
            && list.get(0) instanceof Map<?, ?> part
            && part.containsKey("type");
    return parts ? new ContentParts((List<Map<String, Object>>) content) : content;
  }

  private static String resource(String name) throws IOException {
    try (InputStream in = TemplateCasesTest.class.getResourceAsStream("/templates/" + name)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
