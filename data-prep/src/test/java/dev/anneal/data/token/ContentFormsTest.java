package dev.anneal.data.token;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What a turn says reaches the text in the form that the template prints. */
class ContentFormsTest {
  private static final String LOOP =
      "{% for line in m.content %}{% if line.type == 'text' %}[{{ line.text }}]{% endif %}{% endfor"
          + " %}";

  @Test
  void handsPartsToATemplateThatLoopsOverThem() {
    assertThat(rendered("{% for m in messages %}" + LOOP + "{% endfor %}"))
        .isEqualTo("[a][b][plain][c]");
  }

  @Test
  void handsAsItStandsWhatATemplateTakesEitherWay() {
    assertThat(
            rendered(
                "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
                    + LOOP
                    + "{% endif %};{% endfor %}"))
        .isEqualTo("[a][b];plain;[c];");
  }

  @Test
  void putsPartsTogetherForATemplateThatPrintsTexts() {
    assertThat(rendered("{% for m in messages %}{{ m.content }};{% endfor %}"))
        .isEqualTo("ab;plain;c;");
    assertThat(rendered("{% for m in messages %}{{ m.content | tojson }};{% endfor %}"))
        .isEqualTo("\"ab\";\"plain\";\"c\";");
    assertThat(rendered("{% for m in messages %}{{ m.content | trim + '|' }}{% endfor %}"))
        .isEqualTo("ab|plain|c|");
  }

  @Test
  void tellsRolesApart() {
    assertThat(
            rendered(
                "{% for m in messages %}{% if m.role == 'user' %}"
                    + LOOP
                    + "{% else %}{{ m.content + '|' }}{% endif %}{% endfor %}"))
        .isEqualTo("[a][b]plain|[c]");
  }

  @Test
  void keepsTheOrderOfARow() {
    Map<String, Object> turn = new LinkedHashMap<>();
    turn.put("content", "Hi");
    turn.put("name", "Ann");
    turn.put("role", "user");

    assertThat(
            render(
                "{{ messages | tojson }}{% for k, v in messages[0].items() %} {{ k }}{% endfor %}",
                List.of(new Message(turn, Message.Part.PROMPT))))
        .isEqualTo(
            "[{\"content\": \"Hi\", \"name\": \"Ann\", \"role\": \"user\"}] content name role");
  }

  private static String rendered(String template) {
    ContentParts two =
        new ContentParts(
            List.of(Map.of("type", "text", "text", "a"), Map.of("type", "text", "text", "b")));
    return render(
        template,
        List.of(
            new Message("user", two, Map.of()),
            new Message("assistant", "plain"),
            new Message("user", ContentParts.of("c"), Map.of())));
  }

  private static String render(String template, List<Message> messages) {
    TokenizerFiles files = new TokenizerFiles("here", "{}", template, null, null, Instant.EPOCH);
    return new ChatTemplate(files).render(messages, Map.of(), GenerationPrompt.OMIT).text();
  }
}
