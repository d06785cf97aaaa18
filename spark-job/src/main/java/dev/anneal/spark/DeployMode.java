package dev.anneal.spark;

import org.apache.spark.SparkConf;

/** Where the driver runs. */
public enum DeployMode {
  /** Where the command was given. */
  CLIENT,
  /** On a machine of the cluster's choice, which has no files of the user's. */
  CLUSTER;

  /** That of an application. */
  public static DeployMode of(SparkConf conf) {
    // Kubernetes starts the driver's process in client mode, in a pod of the cluster
    boolean inPod = conf.getBoolean("spark.kubernetes.submitInDriver", false);
    return inPod || conf.get("spark.submit.deployMode", "client").equals("cluster")
        ? CLUSTER
        : CLIENT;
  }
}
