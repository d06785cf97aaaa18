package dev.anneal.spark.preflight;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.spark.BadRequestException;
import org.junit.jupiter.api.Test;

class EvalSourceTest {
  @Test
  void everyRefusalNamesTheKeyOfTheRowsToEvaluateOn() {
    assertThatThrownBy(
            () ->
                EvalSource.named(
                    () -> {
                      throw new InvalidDataException("data.source '/a' does not exist.");
                    }))
        .isInstanceOf(InvalidDataException.class)
        .hasMessage("data.eval_source '/a' does not exist.");
    // of a run that cannot be gone on from
    assertThatThrownBy(
            () ->
                EvalSource.named(
                    () -> {
                      throw new BadRequestException(
                          "output.path /out holds checkpoints of a run on another data set: data.source '/a' has changed.");
                    }))
        .isInstanceOf(BadRequestException.class)
        .hasMessageEndingWith(": data.eval_source '/a' has changed.");
    assertThat(EvalSource.<String>named(() -> "data.source")).isEqualTo("data.source");
  }
}
