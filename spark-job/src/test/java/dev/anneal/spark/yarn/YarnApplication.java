package dev.anneal.spark.yarn;

import dev.anneal.spark.faults.Await;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.yarn.api.records.ApplicationAttemptReport;
import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.api.records.ApplicationReport;
import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.ContainerReport;
import org.apache.hadoop.yarn.api.records.YarnApplicationState;
import org.apache.hadoop.yarn.client.api.YarnClient;
import org.apache.hadoop.yarn.exceptions.YarnException;

/** An application, by what the resource manager says of it and by its processes. */
record YarnApplication(YarnClient client, ApplicationId id) {
  private static final Duration PATIENCE = Duration.ofMinutes(1);
  private static final EnumSet<YarnApplicationState> ENDED =
      EnumSet.of(
          YarnApplicationState.FINISHED, YarnApplicationState.FAILED, YarnApplicationState.KILLED);

  /** Waits for its end; returns what the resource manager has made of it. */
  ApplicationReport awaitEnd() throws Exception {
    Await.until(
        PATIENCE,
        () -> "it does not end: " + report(),
        () -> ENDED.contains(report().getYarnApplicationState()));
    return report();
  }

  ApplicationReport report() throws IOException, YarnException {
    return client.getApplicationReport(id);
  }

  /** How often its application master has been started, in order. */
  List<ApplicationAttemptReport> attempts() throws IOException, YarnException {
    List<ApplicationAttemptReport> attempts = new ArrayList<>(client.getApplicationAttempts(id));
    attempts.sort((a, b) -> a.getApplicationAttemptId().compareTo(b.getApplicationAttemptId()));
    return attempts;
  }

  /** The containers of its executors that run now. */
  List<ContainerId> executorContainers() throws IOException, YarnException {
    List<ApplicationAttemptReport> attempts = attempts();
    ApplicationAttemptReport attempt = attempts.get(attempts.size() - 1);
    return client.getContainers(attempt.getApplicationAttemptId()).stream()
        .map(ContainerReport::getContainerId)
        .filter(container -> !container.equals(attempt.getAMContainerId()))
        .toList();
  }

  /** The processes of its executors. */
  List<ProcessHandle> executors() {
    return processes("YarnCoarseGrainedExecutorBackend");
  }

  /** The process of its application master, which is the driver in cluster mode. */
  Optional<ProcessHandle> master() {
    return processes("org.apache.spark.deploy.yarn.ApplicationMaster").stream().findFirst();
  }

  private List<ProcessHandle> processes(String mainClass) {
    return ProcessHandle.allProcesses()
        .filter(process -> process.info().command().orElse("").endsWith("/java"))
        .filter(process -> runs(process, mainClass))
        .toList();
  }

  private boolean runs(ProcessHandle process, String mainClass) {
    String command = process.info().commandLine().orElse("");
    return command.contains(id.toString()) && command.contains(mainClass);
  }
}
