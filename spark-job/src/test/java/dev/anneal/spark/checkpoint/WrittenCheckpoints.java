package dev.anneal.spark.checkpoint;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.checkpoint.CheckpointPart;
import dev.anneal.training.io.Sha256;
import dev.anneal.training.io.WrittenFile;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;

/** A run's folder in which two ranks have written their parts, and the driver that hears of it. */
final class WrittenCheckpoints implements CheckpointCommitter.Driver {
  static final int RANKS = 2;
  private static final Duration LONG = Duration.ofMinutes(1);

  final RunFolder folder;
  final List<Long> completed = Collections.synchronizedList(new ArrayList<>());
  final List<String> lost = Collections.synchronizedList(new ArrayList<>());
  volatile boolean owned = true;

  /** The step whose samples this driver fails to tell; 0 for none. */
  volatile long failing;

  WrittenCheckpoints(Path output) {
    folder = new RunFolder(output.toUri().toString(), new Configuration());
  }

  static SortedMap<String, String> identity(String r) {
    return new TreeMap<>(Map.of("lora.r", r, "the model", "abc"));
  }

  CheckpointCommitter committer(int keep) throws IOException {
    return new CheckpointCommitter(folder, identity("8"), keep, List.of(), this);
  }

  /** What {@code attempt} leaves of the checkpoint after {@code step} steps. */
  void take(CheckpointCommitter committer, String attempt, long step) throws Exception {
    for (int rank = 0; rank < RANKS; rank++) {
      committer.written(part(attempt, step, rank));
    }
    committer.await(LONG);
  }

  CheckpointPart part(String attempt, long step, int rank) throws IOException {
    String name = String.format(Locale.ROOT, "rank-%05d-of-%05d.safetensors", rank, RANKS);
    byte[] content = (attempt + step + rank).getBytes(UTF_8);
    folder.write(RunFolder.checkpoint(step) + "/" + attempt + "/" + name, content);
    String sha256 = HexFormat.of().formatHex(Sha256.digest().digest(content));
    return new CheckpointPart(
        step, rank, RANKS, 0, List.of(new WrittenFile(name, content.length, sha256)));
  }

  /** The same, of which the checkpoint after {@code bestStep} steps is the best so far. */
  void takeWithBest(CheckpointCommitter committer, String attempt, long step, long bestStep)
      throws Exception {
    for (int rank = 0; rank < RANKS; rank++) {
      CheckpointPart part = part(attempt, step, rank);
      committer.written(new CheckpointPart(step, rank, RANKS, bestStep, part.files()));
    }
    committer.await(LONG);
  }

  CheckpointSearch search() throws IOException {
    return CheckpointSearch.in(folder, identity("8"));
  }

  List<Long> usable() throws IOException {
    return search().usable().stream().map(StoredCheckpoint::step).toList();
  }

  @Override
  public byte[] metricsUpTo(long step) {
    return ("{\"step\":" + step + "}\n").getBytes(UTF_8);
  }

  @Override
  public byte[] samples(long step) {
    if (step == failing) {
      throw new IllegalStateException("no samples of " + step);
    }
    return "[]".getBytes(UTF_8);
  }

  @Override
  public boolean ownsFolder() {
    return owned;
  }

  @Override
  public void completed(StoredCheckpoint checkpoint) {
    completed.add(checkpoint.step());
  }

  @Override
  public void lost(long step, String sentence) {
    lost.add(step + ": " + sentence);
  }
}
