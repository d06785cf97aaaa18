package dev.anneal.training.trainer;

import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.weights.FrozenLayers.Shard;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.bytedeco.javacpp.Pointer;

/** Prints what a process holds of native memory at every step of a long run. */
final class MemorySamples {

  /** What a run trains and keeps. */
  enum Kind {
    LORA_RECOMPUTED,
    LORA_KEPT,
    FULL
  }

  /**
   * A sample, on a line of its own.
   *
   * @param step 0 before the run, -1 after it
   * @param handles live JavaCPP objects that own native memory
   * @param handleBytes what JavaCPP knows of their size
   * @param residentBytes anonymous memory of the process
   */
  record Sample(Kind kind, long step, long handles, long handleBytes, long residentBytes) {
    static Sample take(Kind kind, long step) throws IOException {
      return new Sample(
          kind, step, Pointer.totalCount(), Pointer.totalBytes(), anonymousResidentBytes());
    }

    static Sample parse(String line) {
      String[] fields = line.split(" ", -1);
      return new Sample(
          Kind.valueOf(fields[0]),
          Long.parseLong(fields[1]),
          Long.parseLong(fields[2]),
          Long.parseLong(fields[3]),
          Long.parseLong(fields[4]));
    }

    private void print() {
      System.out.printf("%s %d %d %d %d%n", kind, step, handles, handleBytes, residentBytes);
    }
  }

  private MemorySamples() {}

  /**
   * Runs one kind.
   *
   * @param args the kind, the number of steps, and a folder for results
   */
  public static void main(String[] args) throws IOException {
    NativeLibraries.load();
    Kind kind = Kind.valueOf(args[0]);
    Sample.take(kind, 0).print();
    train(kind, Long.parseLong(args[1]), Path.of(args[2]));
    Sample.take(kind, -1).print();
  }

  private static void train(Kind kind, long steps, Path output) throws IOException {
    ReferenceRun reference = ReferenceRun.load();
    List<TokenSequence> rows = reference.rows();
    Recipe lora =
        Recipe.from(reference.spec(1)).steps(steps).shard(Shard.WORLD).baseDtype(DType.BF16);
    Recipe recipe =
        switch (kind) {
          case LORA_RECOMPUTED -> lora.activations(KeptActivations.INPUTS).dropout(0.1);
          case LORA_KEPT -> lora.activations(KeptActivations.ALL);
          case FULL -> Recipe.full(steps, 1e-3);
        };
    TrainingRun.Inputs inputs =
        reference.inputs(null, rows, rows.subList(0, 5), List.of(rows.get(0).inputIds()), output);
    TrainingRun.run(
        recipe.sampleTokens(4).spec(),
        inputs,
        Ranks.onCpu(new SingleRank()),
        new SamplingListener(kind));
  }

  private static final class SamplingListener extends RecordingListener {
    private final Kind kind;

    SamplingListener(Kind kind) {
      this.kind = kind;
    }

    @Override
    public void onStep(StepMetrics metrics) {
      try {
        Sample.take(kind, metrics.step()).print();
      } catch (IOException e) {
        throw new AssertionError(e);
      }
    }
  }

  private static long anonymousResidentBytes() throws IOException {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("RssAnon:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
        .findFirst()
        .orElseThrow();
  }
}
