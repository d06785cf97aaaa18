package dev.anneal.spark.yarn;

import dev.anneal.spark.faults.Await;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import org.apache.hadoop.yarn.api.records.ApplicationAttemptReport;
import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.api.records.ApplicationReport;
import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.ContainerReport;
import org.apache.hadoop.yarn.api.records.SignalContainerCommand;
import org.apache.hadoop.yarn.api.records.YarnApplicationState;
import org.apache.hadoop.yarn.client.api.YarnClient;
import org.apache.hadoop.yarn.exceptions.YarnException;

/** An application, by what the resource manager says of it and by its processes. */
record YarnApplication(YarnClient client, ApplicationId id) {
  private static final Duration PATIENCE = Duration.ofMinutes(2);
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

  /** Lets the resource manager end a container of an executor, as when it is preempted. */
  void killExecutor() throws IOException, YarnException {
    List<ApplicationAttemptReport> attempts = attempts();
    ApplicationAttemptReport attempt = attempts.get(attempts.size() - 1);
    ContainerId executor =
        client.getContainers(attempt.getApplicationAttemptId()).stream()
            .map(ContainerReport::getContainerId)
            .filter(container -> !container.equals(attempt.getAMContainerId()))
            .findFirst()
            .orElseThrow();
    client.signalToContainer(executor, SignalContainerCommand.FORCEFUL_SHUTDOWN);
  }

  /** The processes of its executors. */
  List<ProcessHandle> executors() {
    return processes("YarnCoarseGrainedExecutorBackend");
  }

  /** The process of its application master, which is the driver in cluster mode. */
  ProcessHandle master() {
    return processes("org.apache.spark.deploy.yarn.ApplicationMaster").get(0);
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
