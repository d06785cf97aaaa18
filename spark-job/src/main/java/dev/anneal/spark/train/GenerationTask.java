package dev.anneal.spark.train;

import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.spark.cluster.BarrierStage;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.storage.Storage;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.GenerationListener;
import dev.anneal.training.generate.Prompt;
import dev.anneal.training.generate.PromptQueue;
import dev.anneal.training.generate.StopStrings;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.trainer.GenerationRun;
import dev.anneal.training.trainer.PhaseListener;
import dev.anneal.training.trainer.Ranks;
import java.io.IOException;
import java.io.Serializable;
import java.util.List;
import java.util.Optional;
import org.apache.spark.util.SignalUtils;
import scala.Function0;

/**
 * What one barrier task does to go on from prompts: it runs the ranks of its node, which ask the
 * driver for one batch after the other until it has no more.
 */
public final class GenerationTask implements BarrierStage.Task<Boolean> {
  private static final long serialVersionUID = 1L;

  private final AnnealConfig config;
  private final GenerationRun.Spec spec;
  private final Line line;
  private final Texts texts;
  private final Storage storage;

  /**
   * The way to the driver.
   *
   * @param server name of its {@link PromptServer}
   * @param streamed whether every token is told
   */
  public record Line(String server, boolean streamed) implements Serializable {}

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
      AnnealConfig config, GenerationRun.Spec spec, Line line, Texts texts, Storage storage) {
    this.config = config.withoutSecrets();
    this.spec = spec;
    this.line = line;
    this.texts = texts;
    this.storage = storage;
  }

  /**
   * Runs this task's ranks. Ranks that hold whole weights ask for prompts of their own, and need
   * nobody; where weights are split, rank 0 asks and tells, and all do the same.
   */
  @Override
  public Boolean run() {
    AskedRanks ranks = new AskedRanks(config, spec.isSplit());
    if (line.streamed() && NodeTask.isExecutor()) {
      // Ctrl-C in the driver's terminal reaches the executors of this machine too
      SignalUtils.register("INT", (Function0<Object> & Serializable) () -> true);
    }
    ranks.run(
        (rank, group) -> {
          PromptClient client = PromptClient.connect(line.server(), ranks::areLeaving);
          if (rank > 0 && spec.isSplit()) {
            serve(new Silent(), StopStrings.NONE, group, new Phases(client, false));
          } else {
            deciding(rank, client, group);
          }
        });
    return true;
  }

  /** As a rank that says when a continuation ends. */
  private void deciding(int rank, PromptClient client, Ranks ranks) throws IOException {
    Phases phases = new Phases(client, rank == 0);
    if (texts.stops().isEmpty()) {
      serve(client, stops(StopStrings.NONE, client), ranks, phases);
      return;
    }
    try (ChatTokenizer tokenizer = ChatTokenizer.load(texts.tokenizer(), storage)) {
      serve(client, stops(new TextStops(texts.stops(), tokenizer), client), ranks, phases);
    }
  }

  private StopStrings stops(StopStrings stopStrings, PromptClient client) {
    return line.streamed() ? client.streamed(stopStrings) : stopStrings;
  }

  private void serve(PromptQueue queue, StopStrings stopStrings, Ranks ranks, Phases phases)
      throws IOException {
    ModelLocation model = ModelLocation.of(config.model().path());
    String adapter = config.lora().initFrom();
    ModelFolder adapterFolder = adapter == null ? null : new StorageModelFolder(adapter, storage);
    GenerationRun.serve(
        spec,
        new GenerationRun.Service(
            model.open(storage, config.training().seed()), adapterFolder, queue, stopStrings),
        ranks,
        phases,
        GenerationListener.NONE);
  }

  /** Of a rank that hears from rank 0 what to go on from. */
  private record Silent() implements PromptQueue {
    @Override
    public Optional<List<Prompt>> next() {
      return Optional.empty();
    }

    @Override
    public void done(List<Completion> completions) {}
  }

  /**
   * Phases as the driver hears of them.
   *
   * @param telling whether this rank tells
   */
  private record Phases(PromptClient client, boolean telling) implements PhaseListener {
    @Override
    public void onPhase(String phase) {
      tell(new PromptMessage.Phase(phase));
    }

    @Override
    public void onProgress(String phase, long doneBytes, long totalBytes) {
      tell(new PromptMessage.Progress(phase, doneBytes, totalBytes));
    }

    private void tell(PromptMessage message) {
      if (telling) {
        client.ask(message);
      }
    }

    @Override
    public boolean cancelled() {
      return client.isLeaving();
    }
  }
}
