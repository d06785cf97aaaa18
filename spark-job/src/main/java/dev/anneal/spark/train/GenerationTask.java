package dev.anneal.spark.train;

import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.spark.cluster.BarrierStage;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.progress.ExecutorObituary;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.storage.Storage;
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
import java.io.IOException;
import java.io.Serializable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.apache.spark.BarrierTaskContext;

/** What one barrier task does to go on from prompts: it runs the ranks of its node. */
public final class GenerationTask implements BarrierStage.Task<ArrayList<Completion>> {
  private static final long serialVersionUID = 1L;

  /** How long ranks may take to leave once one of them has failed. */
  private static final Duration GRACE = Duration.ofSeconds(10);

  private final AnnealConfig config;
  private final GenerationRun.Spec spec;
  private final ArrayList<Prompt> prompts;
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

  /** Runs this task's ranks; returns what rank 0 has, in the order of the prompts, or nothing. */
  @Override
  public ArrayList<Completion> run() {
    BarrierTaskContext context = BarrierTaskContext.get();
    int gpus = config.cluster().gpusPerNode();
    int count = config.worldSize() / config.cluster().nodes();
    int firstRank = context.partitionId() * count;
    String host = BarrierStage.host(context);
    BooleanSupplier cancelled = context::isInterrupted;
    AtomicReference<List<Completion>> ofRank0 = new AtomicReference<>(List.of());
    RankThreads threads = new RankThreads(cancelled, (rank, failure) -> {}, GRACE);
    try {
      List<Gpu> seen = gpus == 0 ? List.of() : Gpus.require(gpus);
      Duration timeout = Duration.ofSeconds(config.cluster().timeout());
      Rendezvous rendezvous = Rendezvous.hold(context, config.worldSize(), timeout);
      List<RankPlace> places = RankPlace.of(context, rendezvous, gpus, seen);
      threads.run(
          firstRank,
          count,
          (rank, group) -> {
            Device device = places.get(rank - firstRank).device();
            List<Completion> completions = run(rank, device, host, rendezvous, group, cancelled);
            if (rank == 0) {
              ofRank0.set(completions);
            }
          });
      return new ArrayList<>(ofRank0.get());
    } catch (Throwable e) {
      if (threads.hasLeftBehind() && NodeTask.isExecutor()) {
        // a rank that hangs in native code keeps its memory, and on a GPU everybody's
        Runtime.getRuntime().halt(ExecutorObituary.HUNG);
      }
      throw e instanceof RuntimeException unchecked ? unchecked : new IllegalStateException(e);
    }
  }

  private List<Completion> run(
      int rank,
      Device device,
      String host,
      Rendezvous rendezvous,
      RankThreads threads,
      BooleanSupplier cancelled)
      throws IOException {
    if (device.isGpu()) {
      Gpus.bind(device);
    }
    try (RankGroups groups = RankGroups.join(config, rank, device, host, rendezvous, threads)) {
      try {
        return generate(rank, groups, cancelled);
      } catch (Throwable e) {
        // before this rank leaves its peers, so that the cause comes first
        threads.failed(rank, e);
        throw e;
      }
    }
  }

  private List<Completion> generate(int rank, RankGroups groups, BooleanSupplier cancelled)
      throws IOException {
    if (rank > 0 || texts.stops().isEmpty()) {
      return generate(StopStrings.NONE, groups, cancelled);
    }
    try (ChatTokenizer tokenizer = ChatTokenizer.load(texts.tokenizer(), storage)) {
      return generate(new TextStops(texts.stops(), tokenizer), groups, cancelled);
    }
  }

  private List<Completion> generate(
      StopStrings stopStrings, RankGroups groups, BooleanSupplier cancelled) throws IOException {
    ModelLocation model = ModelLocation.of(config.model().path());
    String adapter = config.lora().initFrom();
    ModelFolder adapterFolder = adapter == null ? null : new StorageModelFolder(adapter, storage);
    return GenerationRun.run(
        spec,
        new GenerationRun.Inputs(
            model.open(storage, config.training().seed()), adapterFolder, prompts, stopStrings),
        groups.ranks(),
        new Phases(cancelled),
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
