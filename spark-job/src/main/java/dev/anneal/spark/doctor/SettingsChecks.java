package dev.anneal.spark.doctor;

import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.preflight.Preflight;
import java.time.Duration;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;

/** What a run checks before it starts, as far as that can be told without its rows. */
final class SettingsChecks {
  /** The headers of a large model are some hundred requests to an object store. */
  private static final Duration LIMIT = Duration.ofSeconds(60);

  private SettingsChecks() {}

  /** The request that is looked at: training alone, to which an earlier prep is no obstacle. */
  static Request request(AnnealConfig config) {
    return Request.of(Request.Command.TRAIN, config, Request.Existing.KEEP);
  }

  /**
   * Adds them, behind those of the places that they read.
   *
   * @param given Spark's settings before the doctor changed any
   */
  static void addTo(Looks looks, AnnealConfig config, SparkConf given, Configuration hadoop) {
    for (Preflight.Part part : Preflight.parts(request(config), given, hadoop)) {
      Finding place = looks.found().get(part.place());
      if (place != null && place.stops() != null) {
        // the sentence of the place says it
        looks.put(part.name(), Finding.of("?"));
        continue;
      }
      looks.require(
          part.name(),
          LIMIT,
          () -> {
            part.check().run();
            return "fits";
          },
          cause ->
              cause.endsWith(".")
                  ? cause
                  : "The check of \"%s\" fails (%s).".formatted(part.name(), cause));
    }
  }
}
