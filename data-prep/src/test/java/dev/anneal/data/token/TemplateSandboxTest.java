package dev.anneal.data.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.anneal.data.error.InvalidDataException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a template that somebody means ill with cannot do. */
class TemplateSandboxTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        // memory
        "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(1000) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=['a']) %}{% for i in range(1000) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x='aaaa') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='aaaa') %}{% for i in range(99) %}{% set ns.x = ns.x | replace('a', ns.x) %}{% endfor %}",
        "{% set ns = namespace(x='aaaa') %}{% for i in range(99) %}{% set ns.x = ns.x.replace('', ns.x) %}{% endfor %}",
        "{{ messages | tojson(indent=1000000000) }}",
        "{{ 'a' | center(1000000000) }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ 'a'.repeat(1000000000) }}",
        // other files, other code
        "{% include 'META-INF/MANIFEST.MF' %}",
        "{% import 'META-INF/MANIFEST.MF' as x %}",
        "{% extends 'META-INF/MANIFEST.MF' %}",
        "{{ '{{ 1 }}' | render }}",
        "{{ ____int3rpr3t3r____.config }}",
        "{{ messages.stream().map(x) }}",
        "{{ 'a'.getBytes() }}",
        "{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('(a+)+b') }}",
        // a sentence of many lines
        "{{ 1\n+\n}}",
        "{{ raise_exception('one\\nanother') }}",
      })
  void refuses(String template) {
    assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () ->
            assertThatThrownBy(() -> render(template))
                .isInstanceOfAny(InvalidDataException.class, TemplateRefusalException.class)
                .satisfies(e -> assertThat(e.getMessage().lines()).hasSize(1)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"{{ messages.class }}", "{{ ''.class }}", "{{ messages.__class__ }}"})
  void hasNoWayToClasses(String template) {
    String text;
    try {
      text = render(template);
    } catch (InvalidDataException e) {
      return;
    }
    assertThat(text).isEmpty();
  }

  @Test
  void endsWhatTakesTooLong() {
    String loop = "{% for i in range(100000) %}";
    assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () ->
            assertThatThrownBy(() -> render(loop.repeat(4) + "x" + "{% endfor %}".repeat(4)))
                .isInstanceOf(InvalidDataException.class)
                .hasMessageStartingWith("The chat template of 'here' cannot be rendered"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"(", "[", "{{ [", "{% if x %}", "not "})
  void refusesWhatIsNestedTooDeep(String open) {
    assertTimeoutPreemptively(
        Duration.ofSeconds(60),
        () ->
            assertThatThrownBy(() -> render("{{ " + open.repeat(20_000) + " }}"))
                .isInstanceOf(InvalidDataException.class));
  }

  private static String render(String template) {
    TokenizerFiles files = new TokenizerFiles("here", "{}", template, null, null, Instant.EPOCH);
    return new ChatTemplate(files)
        .render(List.of(new Message("user", "Hi")), Map.of(), GenerationPrompt.OMIT)
        .text();
  }
}
