package dev.anneal.spark.tracking;

import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.DatasetManifest.Part;
import dev.anneal.spark.Request;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.train.PreparedData;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;

/** A run and its steps, as trackers are told of them. */
public final class Told {
  private static final Path HOME = Path.of(System.getProperty("anneal.home"));

  private Told() {}

  /** A run of the tiny recipe in a folder. */
  public static TrackedRun run(Path folder, String... sets) {
    return run(folder, null, sets);
  }

  /** The same that evaluates on so many rows of their own. */
  public static TrackedRun evaluatedOn(long rows, Path folder) {
    return run(folder, dataset(rows, 0));
  }

  private static TrackedRun run(Path folder, DatasetManifest eval, String... sets) {
    List<String> all = new ArrayList<>(List.of(sets));
    all.add("output.path=" + folder);
    Request request =
        Request.of(
            Request.Command.RUN,
            ConfigLoader.load(HOME.resolve("conf/tiny.yaml"), all, folder),
            Request.Existing.KEEP);
    return new TrackedRun(
        request,
        new RunFolder("file:" + folder, new Configuration()),
        "a-model",
        80,
        new PreparedData(dataset(280, 40), eval),
        "4.1",
        "app-1",
        text -> text == null ? null : text.replace("hunter2", "*********"));
  }

  private static DatasetManifest dataset(long rows, long heldOut) {
    return new DatasetManifest(
        1, null, null, null, null, null, part(rows), part(heldOut), null, null, List.of());
  }

  private static Part part(long rows) {
    return new Part(rows, rows, rows * 100, rows * 50, 9, 1, List.of());
  }
}
