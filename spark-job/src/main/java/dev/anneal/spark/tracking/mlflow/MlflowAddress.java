package dev.anneal.spark.tracking.mlflow;

import java.net.URI;

/**
 * Where a server of MLflow's interface is.
 *
 * @param root what its paths stand behind
 * @param authorization value of the HTTP header; {@code null}: none
 * @param pages what the pages of its experiments stand behind, below {@code root}
 */
record MlflowAddress(URI root, String authorization, String pages) {
  private static final String PAGES = "/#/experiments/";
  private static final String PAGES_OF_DATABRICKS = "/ml/experiments/";

  static MlflowAddress ofServer(URI root, String authorization) {
    return new MlflowAddress(root, authorization, PAGES);
  }

  static MlflowAddress ofDatabricks(URI root, String authorization) {
    return new MlflowAddress(root, authorization, PAGES_OF_DATABRICKS);
  }

  /** Without what is secret. */
  @Override
  public String toString() {
    return root.toString();
  }
}
