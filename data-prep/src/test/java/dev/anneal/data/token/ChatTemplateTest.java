package dev.anneal.data.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.error.InvalidDataException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Expected texts are those of Hugging Face's {@code apply_chat_template}. */
class ChatTemplateTest {
  private static final List<Message> HELLO = List.of(new Message("user", " {{ Hi }} \u00a0"));

  @Test
  void dropsTheLineOfABlockAndItsIndentation() {
    String template =
        """
        {% for message in messages %}
            {% if message.role == 'user' %}
        [{{ message['content'] | trim }}]
            {% endif %}
        {% endfor %}
        end
        """;
    assertThat(render(template, GenerationPrompt.OMIT)).isEqualTo("[{{ Hi }}]\nend");
  }

  @Test
  void doesNotInterpretWhatTheMessageSays() {
    assertThat(render("{{ messages[0].content }}", GenerationPrompt.OMIT))
        .isEqualTo(" {{ Hi }} \u00a0");
  }

  @Test
  void keepsControlCharactersQuotesAndBackslashes() {
    List<Message> messages = List.of(new Message("user", "a\u000bb\\n\"c\" 'd' <e> &\t\u0001"));

    assertThat(
            template("{{ '<' + messages[0]['content'] + '>' }}")
                .render(messages, Map.of(), GenerationPrompt.OMIT)
                .text())
        .isEqualTo("<a\u000bb\\n\"c\" 'd' <e> &\t\u0001>");
  }

  @Test
  void knowsTheVariablesOfHuggingFace() {
    String template =
        "{{- bos_token }}{% if add_generation_prompt %}{{ 'go' + '\\n\\n' }}{% endif %}{{ eos_token }}";

    assertThat(render(template, GenerationPrompt.ADD)).isEqualTo("<s>go\n\n</s>");
    assertThat(render(template, GenerationPrompt.OMIT)).isEqualTo("<s></s>");
  }

  /** The parts of Llama 3.1's published template that act without tools. */
  @Test
  void rendersWhatPublishedTemplatesAreMadeOf() {
    String template =
        """
        {{- bos_token }}
        {%- if custom_tools is defined %}
            {%- set tools = custom_tools %}
        {%- endif %}
        {%- if not date_string is defined %}
            {%- set date_string = "26 Jul 2024" %}
        {%- endif %}
        {%- if not tools is defined %}
            {%- set tools = none %}
        {%- endif %}
        {%- if messages[0]['role'] == 'system' %}
            {%- set system_message = messages[0]['content']|trim %}
            {%- set messages = messages[1:] %}
        {%- else %}
            {%- set system_message = "" %}
        {%- endif %}
        {{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
        {%- if tools is not none %}
            {{- "Environment: ipython\\n" }}
        {%- endif %}
        {{- "Today Date: " + date_string + "\\n\\n" }}
        {{- system_message }}
        {{- "<|eot_id|>" }}
        {%- for message in messages %}
            {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
                {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
            {%- elif 'tool_calls' in message %}
                {%- if not message.tool_calls|length == 1 %}
                    {{- raise_exception("This model only supports single tool-calls at once!") }}
                {%- endif %}
            {%- endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
        {%- endif %}
        """;
    List<Message> messages = List.of(new Message("system", " Be short\n"), HELLO.get(0));

    assertThat(template(template).render(messages, Map.of(), GenerationPrompt.ADD).text())
        .isEqualTo(
            "<s><|start_header_id|>system<|end_header_id|>\n\nToday Date: 26 Jul 2024\n\nBe short"
                + "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n{{ Hi }}<|eot_id|>"
                + "<|start_header_id|>assistant<|end_header_id|>\n\n");
  }

  @Test
  void keepsTheNewlineThatTheTextEndsWith() {
    assertThat(render("{{ 'assistant\\n\\n' }}", GenerationPrompt.ADD)).isEqualTo("assistant\n\n");
  }

  @Test
  void writesTheDateOfThePreparation() {
    assertThat(
            render(
                "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y %H:%M:%S %%') }}{% endif %}",
                GenerationPrompt.OMIT))
        .isEqualTo("01 Feb 2026 03:04:05 %");
  }

  @Test
  void printsWhatStandsBetweenMarksOfGeneration() {
    String template =
        """
        {% for m in messages %}
        {% generation %}
        {{ m.role }}:
        {%- endgeneration %}
        {% endfor %}
        """;
    assertThat(render(template, GenerationPrompt.OMIT)).isEqualTo("user:");
  }

  @Test
  void passesOnTheTemplatesOwnRefusal() {
    assertThatThrownBy(
            () -> render("{{ raise_exception('Roles must alternate') }}", GenerationPrompt.OMIT))
        .isInstanceOf(TemplateRefusalException.class)
        .hasMessage("Roles must alternate");
  }

  @Test
  void refusesATemplateThatIsNotJinja() {
    assertThatThrownBy(() -> render("{% for m in messages %}", GenerationPrompt.OMIT))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("The chat template of 'here' cannot be rendered");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ 'a'.nosuch() }}",
        "{{ 'a' | nosuch }}",
        "{{ nosuch('a') }}",
        "{% nosuch %}",
        "{{ 'a' | tojson(nosuch=true) }}",
        "{% if 'a' is nosuch %}{% endif %}",
        "{{ 'a' ",
        "{# a ",
        "{{ 1 + }}",
        "{{ strftime_now('%Q') }}",
      })
  void leavesNothingOutThatItDoesNotKnow(String template) {
    assertThatThrownBy(() -> render(template, GenerationPrompt.OMIT))
        .isInstanceOfAny(InvalidDataException.class, TemplateRefusalException.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"{{ 'a' + none }}", "{{ 'a' + 3 }}", "{{ messages[0] + 'a' }}"})
  void addsTextsToTextsOnly(String template) {
    assertThatThrownBy(() -> render(template, GenerationPrompt.OMIT))
        .isInstanceOf(TemplateRefusalException.class)
        .hasMessageContaining("unsupported operand types for +");
  }

  private static String render(String template, GenerationPrompt generationPrompt) {
    return template(template).render(HELLO, Map.of(), generationPrompt).text();
  }

  private static ChatTemplate template(String text) {
    Instant now = Instant.parse("2026-02-01T03:04:05Z");
    return new ChatTemplate(new TokenizerFiles("here", "{}", text, "<s>", "</s>", now));
  }
}
