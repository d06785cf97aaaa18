package dev.anneal.spark.kubernetes;

import java.io.IOException;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Skips tests where this process may make no mount namespace. */
final class ContainersPermitted implements ExecutionCondition {

  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    return permitted()
        ? ConditionEvaluationResult.enabled("mount namespaces can be made")
        : ConditionEvaluationResult.disabled("mount namespaces take root and util-linux");
  }

  private static boolean permitted() {
    try {
      return new ProcessBuilder("unshare", "--mount", "true").start().waitFor() == 0;
    } catch (IOException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
