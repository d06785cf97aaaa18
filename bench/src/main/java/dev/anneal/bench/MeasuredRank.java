package dev.anneal.bench;

import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.GlooCollectives;
import dev.anneal.training.collective.NcclCollectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.timing.Profile;
import dev.anneal.training.trainer.Ranks;
import dev.anneal.training.trainer.StepMetrics;
import dev.anneal.training.trainer.TrainingListener;
import dev.anneal.training.trainer.TrainingRun;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.global.torch;

/** One measurement as one of its ranks makes it: joins the others, trains, and keeps every step. */
record MeasuredRank(TrainingOptions options, LocalCheckpoints checkpoints, int rank) {
  /** Sequences of random tokens, which begin again after so many. */
  private static final int SEQUENCES = 4096;

  /**
   * The metrics of all steps.
   *
   * @param store where the ranks meet, or null where there is one alone
   */
  List<StepMetrics> run(RendezvousStore store, Duration timeout) throws IOException {
    Device device = options.device(rank);
    if (device.isGpu()) {
      Gpus.bind(device);
    }
    if (options.oneGpu) {
      // NCCL refuses ranks of one host that share a GPU, so it takes them for as many hosts
      torch.set_env("NCCL_HOSTID", "rank-" + rank, true);
      torch.set_env("NCCL_NET", "Socket", true);
    }
    try (Collectives world = group(store, "world", timeout);
        Collectives weights =
            options.splitsWeights() && device.isGpu()
                ? group(store, "weights", timeout)
                : new SingleRank();
        SequenceSource data = data()) {
      Recorder recorder = new Recorder(options.profile);
      Ranks ranks = device.isGpu() ? new Ranks(device, world, weights) : Ranks.onCpu(world);
      TrainingRun.run(options.spec(), inputs(data), ranks, recorder);
      return recorder.steps;
    }
  }

  private Collectives group(RendezvousStore store, String name, Duration timeout) {
    if (options.gpus == 1) {
      return new SingleRank();
    }
    return options.onGpu()
        ? NcclCollectives.join(store, name, options.device(rank), rank, options.gpus, timeout)
        : GlooCollectives.join(store, MeasuredRanks.HOST, rank, options.gpus, timeout);
  }

  private SequenceSource data() throws IOException {
    if (options.rows != null) {
      return PackedRows.read(options.rows);
    }
    int length = Math.toIntExact(options.batch().length());
    return new SyntheticSequences(SEQUENCES, length, options.config().vocabSize());
  }

  private TrainingRun.Inputs inputs(SequenceSource data) throws IOException {
    Path output = Files.createTempDirectory("anneal-bench");
    return new TrainingRun.Inputs(
        new ModelSource.Random(options.config(), 1),
        null,
        data,
        null,
        List.of(),
        options.shape,
        new LocalOutputFolder(output),
        options.checkpointEvery == 0
            ? CheckpointPlan.NONE
            : new CheckpointPlan(options.checkpointEvery, checkpoints, null));
  }

  private static final class Recorder implements TrainingListener {
    private final List<StepMetrics> steps = new ArrayList<>();
    private final int profiled;

    Recorder(int profiled) {
      this.profiled = profiled;
    }

    @Override
    public int profiledSteps() {
      return profiled;
    }

    @Override
    public void onProfile(Profile taken) {
      System.err.printf("profile of %s spans%n", taken.spans().size());
    }

    @Override
    public void onPhase(String phase) {
      System.err.println(phase + " ...");
    }

    @Override
    public void onStep(StepMetrics metrics) {
      steps.add(metrics);
      System.err.printf("step %s: %.1f ms%n", metrics.step(), TrainingResult.milliseconds(metrics));
    }

    @Override
    public void onEvaluation(long step, double evalLoss) {}

    @Override
    public void onSample(long step, int sample, int[] promptIds, int[] generatedIds) {}

    @Override
    public boolean cancelled() {
      return false;
    }
  }
}
