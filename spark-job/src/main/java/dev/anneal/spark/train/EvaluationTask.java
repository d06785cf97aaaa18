package dev.anneal.spark.train;

import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.manifest.DatasetManifest.PartFile;
import dev.anneal.spark.cluster.BarrierStage;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.progress.RankChannel;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.storage.Storage;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.trainer.EvaluationListener;
import dev.anneal.training.trainer.EvaluationRun;
import dev.anneal.training.trainer.GenerationRun;
import dev.anneal.training.trainer.Ranks;
import dev.anneal.training.trainer.SequenceLosses;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** What one barrier task does to evaluate a model: it runs the ranks of its node. */
public final class EvaluationTask implements BarrierStage.Task<List<EvaluationTask.Measured>> {
  private static final long serialVersionUID = 1L;

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
      implements Serializable {
    private Measured withoutAnswers() {
      return new Measured(losses, sources, List.of(), List.of());
    }
  }

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
    this.config = config.withoutSecrets();
    this.spec = spec;
    this.rows = rows;
    this.prompts = new ArrayList<>(prompts);
    this.runId = runId;
    this.storage = storage;
  }

  /** Runs this task's ranks; returns what they have found, in any order. */
  @Override
  public List<Measured> run() {
    AskedRanks ranks = new AskedRanks(config, spec.isSplit());
    RankChannel channel = RankChannel.connect(runId, runId);
    Queue<Measured> found = new ConcurrentLinkedQueue<>();
    ranks.run(
        (rank, group) -> {
          Measured measured = measure(rank, group, new Listener(rank, channel, ranks::areLeaving));
          // where weights are split, all have generated the same
          found.add(spec.isSplit() && rank > 0 ? measured.withoutAnswers() : measured);
        });
    return new ArrayList<>(found);
  }

  private Measured measure(int rank, Ranks ranks, Listener listener) throws IOException {
    EvaluationRun.Share share = new EvaluationRun.Share(rank, config.worldSize());
    ModelLocation model = ModelLocation.of(config.model().path());
    String adapter = config.lora().initFrom();
    try (SourcedSequences data =
        new SourcedSequences(PreparedDataset.of(rows.folder(), rows.files(), storage))) {
      if (!spec.isSplit()
          && rank * (long) spec.batchSize() >= Math.max(data.size(), prompts.size())) {
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
