package dev.anneal.spark.kubernetes;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;

/**
 * What the operator's CRD (v1beta2) has of the fields that our manifest uses; whoever reads a
 * manifest into it finds misspelt ones and values of another type.
 *
 * @see <a
 *     href="https://github.com/kubeflow/spark-operator/blob/v2.5.0/docs/api-docs.md">SparkApplication</a>
 */
record SparkApplication(String apiVersion, String kind, Metadata metadata, Spec spec) {

  record Metadata(String name) {}

  record Spec(
      Type type,
      Mode mode,
      String sparkVersion,
      String image,
      String mainClass,
      String mainApplicationFile,
      List<String> arguments,
      RestartPolicy restartPolicy,
      Map<String, String> sparkConf,
      List<Volume> volumes,
      Driver driver,
      Executor executor) {}

  enum Type {
    Java,
    Python,
    Scala,
    R
  }

  enum Mode {
    cluster,
    client
  }

  record RestartPolicy(
      RestartType type,
      Integer onFailureRetries,
      Long onFailureRetryInterval,
      Integer onSubmissionFailureRetries,
      Long onSubmissionFailureRetryInterval) {}

  enum RestartType {
    Never,
    Always,
    OnFailure
  }

  record Driver(
      Integer cores,
      String memory,
      String memoryOverhead,
      String serviceAccount,
      Long terminationGracePeriodSeconds,
      List<NamePath> configMaps,
      List<VolumeMount> volumeMounts) {}

  record Executor(
      Integer instances,
      Integer cores,
      String memory,
      String memoryOverhead,
      Long terminationGracePeriodSeconds,
      List<VolumeMount> volumeMounts) {}

  record NamePath(String name, String path) {}

  record VolumeMount(String name, String mountPath) {}

  record Volume(String name, JsonNode persistentVolumeClaim) {}
}
