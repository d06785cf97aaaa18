package dev.anneal.spark.train;

import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.spark.cluster.BarrierStage;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.progress.ExecutorObituary;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.storage.Storage;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.cuda.Gpu;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.GenerationListener;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.StopStrings;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.trainer.GenerationRun;
import dev.anneal.training.trainer.PhaseListener;
import dev.anneal.training.trainer.Ranks;
import dev.anneal.training.weights.FrozenWeights;
import java.io.IOException;
import java.io.Serializable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import org.apache.spark.BarrierTaskContext;

/** What one barrier task does to go on from prompts: it runs the ranks of its node. */
public final class GenerationTask implements BarrierStage.Task<List<Completion>> {
  private static final long serialVersionUID = 1L;

  /** How long ranks may take to leave once one of them has failed. */
  private static final Duration GRACE = Duration.ofSeconds(10);

  private final AnnealConfig config;
  private final GenerationRun.Spec spec;
  private final List<Prompt> prompts;
  private final Texts texts;
  private final Storage storage;

  /**
   * Texts that end continuations, and who reads them.
   *
   * @param stops none of them empty; may be none
   * @param tokenizer folder of the model's tokenizer
   */
  public record Texts(List<String> stops, String tokenizer) implements Serializable {
    public Texts {
      stops = List.copyOf(stops);
    }
  }

  /**
   * For the model of {@code model.path} with the adapter of {@code lora.init_from}, if there is
   * one.
   */
  public GenerationTask(
      AnnealConfig config,
      GenerationRun.Spec spec,
      List<Prompt> prompts,
      Texts texts,
      Storage storage) {
    this.config = config;
    this.spec = spec;
    this.prompts = new ArrayList<>(prompts);
    this.texts = texts;
    this.storage = storage;
  }

  /**
   * Runs this task's ranks; returns what they have made, in any order. Ranks that hold whole
   * weights are dealt the prompts, and need nobody; where weights are split, all do the same and
   * rank 0 has it.
   */
  @Override
  public List<Completion> run() {
    BarrierTaskContext context = BarrierTaskContext.get();
    int gpus = config.cluster().gpusPerNode();
    int count = config.worldSize() / config.cluster().nodes();
    int firstRank = context.partitionId() * count;
    String host = BarrierStage.host(context);
    AtomicBoolean failed = new AtomicBoolean();
    BooleanSupplier leaving = () -> failed.get() || context.isInterrupted();
    Queue<Completion> made = new ConcurrentLinkedQueue<>();
    RankThreads threads =
        new RankThreads(context::isInterrupted, (rank, failure) -> failed.set(true), GRACE);
    try {
      List<Gpu> seen = gpus == 0 ? List.of() : Gpus.require(gpus);
      Duration timeout = Duration.ofSeconds(config.cluster().timeout());
      int meeting = isSplit() ? config.worldSize() : 1;
      Rendezvous rendezvous = Rendezvous.hold(context, meeting, timeout);
      List<RankPlace> places = RankPlace.of(context, rendezvous, gpus, seen);
      threads.run(
          firstRank,
          count,
          (rank, group) -> {
            Device device = places.get(rank - firstRank).device();
            if (device.isGpu()) {
              Gpus.bind(device);
            }
            made.addAll(
                isSplit()
                    ? together(rank, device, host, rendezvous, group, leaving)
                    : dealt(rank, device, leaving));
          });
      return new ArrayList<>(made);
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

  private List<Completion> dealt(int rank, Device device, BooleanSupplier leaving)
      throws IOException {
    List<Prompt> own = new ArrayList<>();
    for (int i = rank; i < prompts.size(); i += config.worldSize()) {
      own.add(prompts.get(i));
    }
    // weights that nobody asks need not be read
    return own.isEmpty()
        ? List.of()
        : deciding(own, new Ranks(device, new SingleRank(), new SingleRank()), leaving);
  }

  private List<Completion> together(
      int rank,
      Device device,
      String host,
      Rendezvous rendezvous,
      RankThreads threads,
      BooleanSupplier leaving)
      throws IOException {
    try (RankGroups groups = RankGroups.join(config, rank, device, host, rendezvous, threads)) {
      try {
        if (rank == 0) {
          return deciding(prompts, groups.ranks(), leaving);
        }
        generate(prompts, StopStrings.NONE, groups.ranks(), leaving);
        return List.of();
      } catch (Throwable e) {
        // before this rank leaves its peers, so that the cause comes first
        threads.failed(rank, e);
        throw e;
      }
    }
  }

  /** As a rank that says when a continuation ends. */
  private List<Completion> deciding(List<Prompt> asked, Ranks ranks, BooleanSupplier leaving)
      throws IOException {
    if (texts.stops().isEmpty()) {
      return generate(asked, StopStrings.NONE, ranks, leaving);
    }
    try (ChatTokenizer tokenizer = ChatTokenizer.load(texts.tokenizer(), storage)) {
      return generate(asked, new TextStops(texts.stops(), tokenizer), ranks, leaving);
    }
  }

  private List<Completion> generate(
      List<Prompt> asked, StopStrings stopStrings, Ranks ranks, BooleanSupplier leaving)
      throws IOException {
    ModelLocation model = ModelLocation.of(config.model().path());
    String adapter = config.lora().initFrom();
    ModelFolder adapterFolder = adapter == null ? null : new StorageModelFolder(adapter, storage);
    return GenerationRun.run(
        spec,
        new GenerationRun.Inputs(
            model.open(storage, config.training().seed()), adapterFolder, asked, stopStrings),
        ranks,
        new Phases(leaving),
        GenerationListener.NONE);
  }

  private record Phases(BooleanSupplier asked) implements PhaseListener {
    @Override
    public void onPhase(String phase) {}

    @Override
    public boolean cancelled() {
      return asked.getAsBoolean();
    }
  }
}
