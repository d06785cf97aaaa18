package dev.anneal.spark.faults;

import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ExtensionContext.Store;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Hands tests the one cluster, started for the first and closed after the last; skips them where
 * that is not permitted.
 */
final class FaultsExtension implements ExecutionCondition, ParameterResolver {

  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    String refusal =
        store(context)
            .getOrComputeIfAbsent("refusal", key -> Network.refusal().orElse(""), String.class);
    return refusal.isEmpty()
        ? ConditionEvaluationResult.enabled("network namespaces can be made")
        : ConditionEvaluationResult.disabled(
            "network namespaces take root and iproute2: " + refusal);
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    return parameter.getParameter().getType() == Faults.class;
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
    return store(context).getOrComputeIfAbsent(Faults.class, key -> start(), Faults.class);
  }

  private static Store store(ExtensionContext context) {
    return context.getRoot().getStore(Namespace.create(FaultsExtension.class));
  }

  private static Faults start() {
    try {
      return Faults.start(FaultCluster.HOME.resolve("spark-job/target/faults"));
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
