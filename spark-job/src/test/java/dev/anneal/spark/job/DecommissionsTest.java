package dev.anneal.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.progress.DriverCommand;
import dev.anneal.spark.progress.RankEvent;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class DecommissionsTest {
  private final Set<String> takenBack = new HashSet<>();
  private final List<String> announced = new ArrayList<>();
  private final Decommissions decommissions =
      new Decommissions(takenBack::contains, announced::add);

  @Test
  void makeTheRanksLeaveWithACheckpointAndSaySoOnce() {
    decommissions.started(new RankEvent.Started(1, "b", "7", 123, 2, 1, "Linux", null));
    takenBack.add("8");
    assertThat(decommissions.amend(DriverCommand.GO_ON)).isEqualTo(DriverCommand.GO_ON);
    takenBack.add("7");
    assertThat(decommissions.amend(DriverCommand.GO_ON))
        .isEqualTo(DriverCommand.LEAVE_WITH_CHECKPOINT);
    assertThat(decommissions.amend(DriverCommand.LEAVE)).isEqualTo(DriverCommand.LEAVE);
    assertThat(announced)
        .containsExactly(
            "The cluster takes the executor of rank 1 on b back: all ranks leave with a checkpoint.");
  }
}
