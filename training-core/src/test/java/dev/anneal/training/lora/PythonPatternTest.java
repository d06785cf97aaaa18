package dev.anneal.training.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.training.InvalidModelException;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PythonPatternTest {
  private static final List<String> NAMES =
      List.of(
          "model.layers.0.self_attn.q_proj",
          "model.layers.1.self_attn.q_proj",
          "model.layers.11.self_attn.v_proj",
          "model.layers.1.mlp.down_proj",
          "model.norm",
          "lm_head");

  /** What {@code re.fullmatch} of Python 3.11 finds, as places in {@link #NAMES}. */
  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '"',
      textBlock =
          """
          .*q_proj                                              ; 01
          .*_proj                                               ; 0123
          q_proj                                                ; -
          .*(q|v)_proj                                          ; 012
          .*\\.(q_proj|v_proj)$                                  ; 012
          ^model\\.layers\\.\\d+\\.self_attn\\..*                    ; 012
          model.layers.1.self_attn.q_proj                       ; 1
          .*layers\\.1\\..*                                       ; 13
          .*layers\\.[01]\\.self.*                                ; 01
          .*layers\\.[^0]\\.self.*                                ; 1
          .*layers\\.\\d{2}\\..*                                   ; 2
          .*layers\\.1{1,2}\\.(?:self_attn|mlp)\\.[dqv]\\w+         ; 123
          (?!.*layers\\.0).*attn.*                               ; 12
          (?=.*mlp).*                                           ; 3
          (model\\.)?(norm|lm_head)                              ; 45
          .+?                                                   ; 012345
          [a-z_]+                                               ; 5
          [\\w.]*\\.[qv]_proj                                     ; 012
          model\\.(layers\\.(0|11)\\.(self_attn\\.)+)?\\D+           ; 024
          .*[^\\W\\d]{4}                                          ; 012345
          |lm_head                                              ; 5
          .*\\.q_proj|.*\\.v_proj                                 ; 012
          .*\\-proj                                              ; -
          .*\\_proj                                              ; 0123
          .*[]_]head                                            ; "REFUSED"
          """)
  void matchesWhatPythonMatches(String regex, String expected) {
    if (expected.equals("REFUSED")) {
      assertThatThrownBy(() -> PythonPattern.compile(regex))
          .isInstanceOf(InvalidModelException.class);
      return;
    }
    assertThat(
            IntStream.range(0, NAMES.size())
                .filter(i -> PythonPattern.compile(regex).matcher(NAMES.get(i)).matches())
                .boxed())
        .map(i -> "" + i)
        .isEqualTo(expected.equals("-") ? List.of() : List.of(expected.split("")));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "(?i).*Q_PROJ",
        "(?P<name>.*)_proj",
        "(?<=q)_proj",
        "(a)\\1",
        ".*q_proj\\Z",
        "\\bq_proj",
        "\\p{Alpha}+",
        "\\Q.\\E",
        "a++",
        "a*+",
        "a**",
        "*_proj",
        "(|+)",
        "^*a",
        "a{,2}",
        "a{x}",
        "a{2",
        "a}",
        "[a-z&&[^b]]",
        "[[a]",
        "[a||b]",
        "[a",
        "[]",
        "a]",
        "(a",
        "a)",
        "(?>a)",
        "a\\",
        "[z-a]",
        "a{3,2}"
      })
  void whatMayMeanSomethingElseInPythonIsRefused(String regex) {
    assertThatThrownBy(() -> PythonPattern.compile(regex))
        .isInstanceOf(InvalidModelException.class)
        .hasMessageStartingWith("LoRA's regular expression '");
  }
}
