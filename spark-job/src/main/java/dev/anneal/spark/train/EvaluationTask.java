package dev.anneal.spark.train;

import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.manifest.DatasetManifest.PartFile;
import dev.anneal.spark.cluster.BarrierStage;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.progress.ExecutorObituary;
import dev.anneal.spark.progress.RankChannel;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.storage.Storage;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.Gpu;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.trainer.EvaluationListener;
import dev.anneal.training.trainer.EvaluationRun;
import dev.anneal.training.trainer.GenerationRun;
import dev.anneal.training.trainer.Ranks;
import dev.anneal.training.trainer.SequenceLosses;
import dev.anneal.training.weights.FrozenWeights;
import java.io.IOException;
import java.io.Serializable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import org.apache.spark.BarrierTaskContext;

/** What one barrier task does to evaluate a model: it runs the ranks of its node. */
public final class EvaluationTask implements BarrierStage.Task<List<EvaluationTask.Measured>> {
  private static final long serialVersionUID = 1L;

  /** How long ranks may take to leave once one of them has failed. */
  private static final Duration GRACE = Duration.ofSeconds(10);

  private static final long NANOS_BETWEEN = TimeUnit.SECONDS.toNanos(1);

  private final AnnealConfig config;
  private final GenerationRun.Spec spec;
  private final Rows rows;
  private final List<Prompt> prompts;
  private final String runId;
  private final Storage storage;

  /**
   * The sequences that are measured.
   *
   * @param folder of the data set
   * @param files of the split
   */
  public record Rows(String folder, List<PartFile> files) implements Serializable {
    public Rows {
      files = new ArrayList<>(files);
    }
  }

  /**
   * What a rank has found out.
   *
   * @param losses of its sequences
   * @param sources where the rows of each of them come from, in the same order; none of a sequence
   *     whose rows do not say it
   * @param base continuations of prompts by the base model
   * @param adapted the same with the adapter
   */
  public record Measured(
      List<SequenceLosses> losses,
      List<List<String>> sources,
      List<Completion> base,
      List<Completion> adapted)
      implements Serializable {}

  /**
   * For the model of {@code model.path} with the adapter of {@code lora.init_from}, if there is
   * one.
   *
   * @param runId of the driver's channel
   */
  public EvaluationTask(
      AnnealConfig config,
      GenerationRun.Spec spec,
      Rows rows,
      List<Prompt> prompts,
      String runId,
      Storage storage) {
    this.config = config;
    this.spec = spec;
    this.rows = rows;
    this.prompts = new ArrayList<>(prompts);
    this.runId = runId;
    this.storage = storage;
  }

  /** Runs this task's ranks; returns what they have found, in any order. */
  @Override
  public List<Measured> run() {
    BarrierTaskContext context = BarrierTaskContext.get();
    int gpus = config.cluster().gpusPerNode();
    int count = config.worldSize() / config.cluster().nodes();
    int firstRank = context.partitionId() * count;
    String host = BarrierStage.host(context);
    AtomicBoolean failed = new AtomicBoolean();
    BooleanSupplier leaving = () -> failed.get() || context.isInterrupted();
    Queue<Measured> found = new ConcurrentLinkedQueue<>();
    RankThreads threads =
        new RankThreads(context::isInterrupted, (rank, failure) -> failed.set(true), GRACE);
    try {
      RankChannel channel = RankChannel.connect(runId, runId);
      List<Gpu> seen = gpus == 0 ? List.of() : Gpus.require(gpus);
      Duration timeout = Duration.ofSeconds(config.cluster().timeout());
      Rendezvous rendezvous = Rendezvous.hold(context, isSplit() ? config.worldSize() : 1, timeout);
      List<RankPlace> places = RankPlace.of(context, rendezvous, gpus, seen);
      threads.run(
          firstRank,
          count,
          (rank, group) -> {
            Device device = places.get(rank - firstRank).device();
            if (device.isGpu()) {
              Gpus.bind(device);
            }
            Listener listener = new Listener(rank, channel, leaving);
            found.add(
                isSplit()
                    ? together(rank, device, host, rendezvous, group, listener)
                    : measure(rank, alone(device), listener));
          });
      return new ArrayList<>(found);
    } catch (Throwable e) {
      if (threads.hasLeftBehind() && NodeTask.isExecutor()) {
        // a rank that hangs in native code keeps its memory, and on a GPU everybody's
        Runtime.getRuntime().halt(ExecutorObituary.HUNG);
      }
      throw e instanceof RuntimeException unchecked ? unchecked : new IllegalStateException(e);
    }
  }

  private boolean isSplit() {
    return spec.weights().shard() != FrozenWeights.Shard.NONE;
  }

  /** A rank that holds whole weights needs nobody. */
  private static Ranks alone(Device device) {
    return new Ranks(device, new SingleRank(), new SingleRank());
  }

  private Measured together(
      int rank,
      Device device,
      String host,
      Rendezvous rendezvous,
      RankThreads threads,
      Listener listener)
      throws IOException {
    try (RankGroups groups = RankGroups.join(config, rank, device, host, rendezvous, threads)) {
      try {
        Measured measured = measure(rank, groups.ranks(), listener);
        // all have generated the same
        return rank == 0
            ? measured
            : new Measured(measured.losses(), measured.sources(), List.of(), List.of());
      } catch (Throwable e) {
        // before this rank leaves its peers, so that the cause comes first
        threads.failed(rank, e);
        throw e;
      }
    }
  }

  private Measured measure(int rank, Ranks ranks, Listener listener) throws IOException {
    EvaluationRun.Share share = new EvaluationRun.Share(rank, config.worldSize());
    ModelLocation model = ModelLocation.of(config.model().path());
    String adapter = config.lora().initFrom();
    try (SourcedSequences data =
        new SourcedSequences(PreparedDataset.of(rows.folder(), rows.files(), storage))) {
      if (!isSplit() && rank * (long) spec.batchSize() >= Math.max(data.size(), prompts.size())) {
        // weights that nobody asks need not be read
        return new Measured(List.of(), List.of(), List.of(), List.of());
      }
      EvaluationRun.Measured measured =
          EvaluationRun.run(
              spec,
              new EvaluationRun.Inputs(
                  model.open(storage, config.training().seed()),
                  adapter == null ? null : new StorageModelFolder(adapter, storage),
                  data,
                  prompts,
                  share),
              ranks,
              listener);
      return new Measured(
          measured.losses(),
          new ArrayList<>(
              measured.losses().stream().map(l -> data.sourcesOf(l.sequence())).toList()),
          measured.base(),
          measured.adapted());
    }
  }

  /** Tells the driver, not more often than it is worth. */
  private static final class Listener implements EvaluationListener {
    private final int rank;
    private final RankChannel channel;
    private final BooleanSupplier leaving;
    private long lastNanos = System.nanoTime();

    Listener(int rank, RankChannel channel, BooleanSupplier leaving) {
      this.rank = rank;
      this.channel = channel;
      this.leaving = leaving;
    }

    @Override
    public void onPhase(String phase) {
      if (rank == 0) {
        channel.send(new RankEvent.Phase(phase));
      }
    }

    @Override
    public void onProgress(String phase, long doneBytes, long totalBytes) {
      if (rank == 0) {
        channel.send(new RankEvent.Progress(phase, doneBytes, totalBytes));
      }
    }

    @Override
    public void onSequences(long done, long total) {
      long now = System.nanoTime();
      if (done == total || now - lastNanos >= NANOS_BETWEEN) {
        lastNanos = now;
        channel.send(new RankEvent.Measured(rank, done));
      }
    }

    @Override
    public boolean cancelled() {
      return leaving.getAsBoolean();
    }
  }
}
