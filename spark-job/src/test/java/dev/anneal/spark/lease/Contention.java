package dev.anneal.spark.lease;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;

/** Several that want the same. */
final class Contention {
  private Contention() {}

  /** Lets all try at the same moment, and returns the one that must have won. */
  static LeaseProcess oneOwner(String command, LeaseProcess... contenders) throws Exception {
    for (LeaseProcess each : contenders) {
      each.tell(command);
    }
    List<String> answers = new ArrayList<>();
    for (LeaseProcess each : contenders) {
      answers.add(each.answer());
    }
    assertThat(answers).filteredOn("owner"::equals).hasSize(1);
    assertThat(answers)
        .filteredOn(answer -> answer.startsWith("refused: "))
        .hasSize(contenders.length - 1);
    return contenders[answers.indexOf("owner")];
  }
}
