package dev.anneal.spark.doctor;

import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.storage.Storage;
import java.io.Serializable;
import java.util.UUID;

/**
 * What driver and executors look at; it travels to executors.
 *
 * @param storage with the Hadoop configuration of the session
 * @param witness name of the file that the driver puts into {@code output.path} for executors to
 *     see
 */
record Places(AnnealConfig config, Storage storage, String witness) implements Serializable {
  static Places of(AnnealConfig config, Storage storage) {
    return new Places(config, storage, ".anneal-doctor-" + UUID.randomUUID());
  }

  /** Path or URI of a file in {@code output.path}. */
  String inOutput(String name) {
    String output = config.output().path();
    return output.endsWith("/") ? output + name : output + "/" + name;
  }
}
