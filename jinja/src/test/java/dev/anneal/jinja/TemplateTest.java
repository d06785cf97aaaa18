package dev.anneal.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.jinja.error.TemplateException;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Expected texts are those of Jinja2 3.1.6. */
class TemplateTest {
  private static final Map<String, Object> VARIABLES =
      Map.of(
          "messages",
          List.of(
              Map.of("role", "system", "content", "Be"),
              Map.of("role", "user", "content", "Hi"),
              Map.of("role", "assistant", "content", "Yo", "n", 1)),
          "x",
          "abc");

  @ParameterizedTest
  @CsvSource(
      delimiter = '@',
      quoteCharacter = '`',
      value = {
        "`a {% if true %}b{% endif %}` @ `a b`",
        "{% for m in messages if m.role != 'system' %}{{ m.role }}{% endfor %} @ userassistant",
        "{% set c = 0 %}{% for m in messages %}{% set c = c + 1 %}{{ c }}{% endfor %}{{ c }} @ 1110",
        "{{ 'T' if 'false' else 'F' }} @ T",
        "{% for m in messages %}{{ loop.previtem.role if loop.previtem }}{% endfor %} @ systemuser",
        "{{ 'abc'[1] }}{{ 'abc'[::-1] }} @ bcba",
        "{{ x.startswith(('a','b')) }} @ True",
        "{{ true ~ '' }} @ True",
        "{{ none | string }} @ None",
        "{{ messages | sort(attribute='role') | map(attribute='role') | join(',') }} @ assistant,system,user",
        "{{ messages | map(attribute='n', default=7) | list }} @ [7, 7, 1]",
        "{% for g in messages | groupby('role') %}{{ g.grouper }}{% endfor %} @ assistantsystemuser",
        "{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(2) }} @ 210",
        "{{ '😀x' | length }}{{ '😀x'[0] }} @ 2😀",
        "{{ x.translate(x.maketrans('ab', 'xy', 'c')) }} {{ (0.5).hex() }} @ xy 0x1.0000000000000p-1",
        "{{ {'b': 1, 'a': none} | pprint }}{{ namespace(a=x) }}{{ [7] | random }} @ `{'a': None, 'b': 1}<Namespace {'a': 'abc'}>7`",
        "{% autoescape x %}{{ ['<'] }}{{ messages[0].role ~ '<' }}{% endautoescape %} @ `['<']system&lt;`",
        "{{ '{:z.1f}|{:z}|{:+z.0%}|{:z.1f}'.format(-0.04, -0.0, -0.001, -0.06) }} @ 0.0|0.0|+0%|-0.1",
        "{{ messages[2].keys() - ['role', 'n'] }}{{ messages[0].items() - messages[0].items() }} @ {'content'}set()",
        "{{ (messages[2].keys() - nothing) | length }}{{ x - {'a': 1}.keys() == {'b': 1, 'c': 1}.keys() }} @ 3True",
        "{{ (messages[2].keys() - 'a') | sort }}{{ 'n' in messages[2].keys() - messages[1] }} @ `['content', 'n', 'role']True`",
        "{{ messages[2].keys() - messages[1] < messages[2].keys() }}{{ {'a': 1} - {'a': 2}.items() }} @ `True{'a'}`",
        "{{ 3 if true else ([{[1]: 2}] | first) }}{% if false %}{{ {[1]: 2} }}{% endif %} @ 3",
        "{{ 0.1 + 0.2 }} {{ 1e16 }} {{ 2 ** 70 }} {{ -7 // 2 }} @ 0.30000000000000004 1e+16 1180591620717411303424 -4",
      })
  void rendersAsJinja2(String template, String expected) {
    assertThat(render(template)).isEqualTo(expected);
  }

  @Test
  void takesLineEndsOfWindowsForLineEnds() {
    assertThat(render("{% if true %}\r\na\r\n{% endif %}\r\nb\r\n")).isEqualTo("a\nb");
  }

  @Test
  void tellsWhatTheAssistantSays() {
    Template.Rendering rendering =
        Template.of(
                "{% for m in messages %}<{% generation %}{{ m.content }}{% endgeneration %}>{% endfor %}")
            .render(VARIABLES, settings());

    assertThat(rendering.text()).isEqualTo("<Be><Hi><Yo>");
    assertThat(rendering.generations())
        .containsExactly(new int[] {1, 3}, new int[] {5, 7}, new int[] {9, 11});
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '@',
      quoteCharacter = '`',
      value = {
        "{{ x.y.z }} @ `line 1, column 7: 'str object' has no attribute 'y'`",
        "{% for m in messages %} @ `expected the tag 'endfor' or 'else' of 'for'`",
        "{{ 1 + }} @ unexpected 'end of print statement'",
        "{{ x | nosuch }} @ No filter named 'nosuch'",
        "{{ [].append(1) }} @ is unsafe",
        "{{ 'a' + 1 }} @ unsupported operand types for +",
        "{% include 'x' %} @ no other templates",
        "{{ messages | random }} @ random takes another element each time",
        "{{ messages | map('upper') }} @ the place where it lies in memory",
        "{{ x.encode() }} @ 'encode' makes bytes",
        "{{ '{:z}'.format(5) }} @ Negative zero coercion (z) not allowed in integer format specifier",
        "{{ '{:z}'.format(x) }} @ Negative zero coercion (z) not allowed in string format specifier",
        "{{ messages[0].keys() - x }} @ `elements of a set in another order each time: sort them`",
        "{{ ({'a': 1, 'A': 2}.keys() - x[3:]) | sort }} @ `elements of a set in another order each time`",
        "{{ messages[0].values() - ['Be'] }} @ unsupported operand types for -: 'dict_values' and 'list'",
        "{{ messages[0].keys() - 5 }} @ 'int' object is not iterable",
        "{{ {'a': []}.items() - [] }} @ unhashable type: 'list'",
        "{{ nothing - messages[0].keys() }} @ 'nothing' is undefined",
        "{{ (messages[0].keys() - 'a').pop() }} @ is unsafe",
        "{% if false %}{{ x if true else {[1]: 2} }}{% endif %} @ a key of the mapping is unhashable",
        "{% if false %}{% filter replace({[1]: 2}, x) %}{% endfilter %}{% endif %} @ a key of the mapping is unhashable",
        "{% if false %}{% call m({[1]: 2}) %}{% endcall %}{% endif %} @ a key of the mapping is unhashable",
        "{% if false %}{% autoescape {[1]: 2} %}{% endautoescape %}{% endif %} @ a key of the mapping is unhashable",
        "{{ x ~ ((-2) ** 0.5) }} @ there are no complex numbers",
      })
  void saysWhatIsWrongAndWhere(String template, String message) {
    assertThatThrownBy(() -> render(template))
        .isInstanceOf(TemplateException.class)
        .hasMessageStartingWith("line 1, column ")
        .hasMessageContaining(message);
  }

  private static String render(String template) {
    return Template.of(template).render(VARIABLES, settings()).text();
  }

  private static Template.Settings settings() {
    return new Template.Settings(
        LocalDateTime.of(2026, 2, 1, 3, 4, 5).atZone(ZoneOffset.UTC), Duration.ofSeconds(10));
  }
}
