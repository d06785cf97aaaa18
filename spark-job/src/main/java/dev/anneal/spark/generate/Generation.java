package dev.anneal.spark.generate;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Redaction;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.job.Interruption;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.session.RunSession;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.generate.Completion;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** One request for continuations, from its checks to its answers. */
public final class Generation {
  private static final long ROUND_MILLIS = 200;
  private static final Duration LEAVING = Duration.ofMinutes(1);

  private final GenerationRequest request;
  private final RunSession session;
  private final ProgressDisplay display;
  private final AnswerFile file;

  private Generation(GenerationRequest request, RunSession session, ProgressDisplay display) {
    this.request = request;
    this.session = session;
    this.display = display;
    this.file =
        request.output() == null ? null : new AnswerFile(request.output(), session.hadoop());
  }

  /**
   * Carries out a request.
   *
   * @param out for the lines, where they go into no file
   * @param notes told how it goes on
   * @throws BadRequestException if it cannot be carried out as it is, before executors have worked
   *     on it
   * @throws JobFailedException if it fails on the way
   */
  public static void execute(
      GenerationRequest request,
      RunSession session,
      PrintWriter out,
      PrintWriter notes,
      ProgressDisplay.Medium medium) {
    AnswerSink printed =
        (prompt, answer) -> {
          out.print(answer.line(prompt.given()) + "\n");
          if (out.checkError()) {
            throw new JobFailedException("Nobody reads the answers any more.", null);
          }
        };
    execute(request, session, printed, notes, medium);
  }

  /**
   * Same as above, for answers that go into no file.
   *
   * @param sink {@code null} where they go into one
   */
  static void execute(
      GenerationRequest request,
      RunSession session,
      AnswerSink sink,
      PrintWriter notes,
      ProgressDisplay.Medium medium) {
    Redaction redaction = Redaction.of(session.conf(), session.hadoop());
    ProgressDisplay display = new ProgressDisplay(notes, medium, System::nanoTime, redaction::mask);
    try {
      new Generation(request, session, display).run(sink);
      session.succeeded();
    } catch (InvalidDataException | InvalidModelException e) {
      throw new BadRequestException(e.getMessage(), e);
    } catch (IOException | UncheckedIOException e) {
      throw new JobFailedException(
          "Prompts or answers cannot be written (%s): free space or permit it, and run the same command again."
              .formatted(e.getMessage()),
          e);
    }
  }

  private void run(AnswerSink sink) throws IOException {
    Instant now = Instant.now();
    Optional<Instant> began = Optional.empty();
    if (file != null) {
      file.requireFree(session.conf());
      began = file.work().began();
    }
    Storage storage = new Storage(session.hadoop());
    try (AskedModel model =
            AskedModel.check(
                request.config(), request.decoding(), session.conf(), storage, began.orElse(now));
        PromptSpool spool = PromptSpool.create()) {
      if (began.isPresent()) {
        // before the prompts are read, which may take long
        file.work().begin(model.identity(), now);
      }
      read(model, spool, storage);
      if (file == null) {
        answer(model, spool, 0, sink);
      } else {
        file.work().begin(model.identity(), now);
        toFile(model, spool);
      }
    }
  }

  private void read(AskedModel model, PromptSpool spool, Storage storage) {
    PromptReader reader =
        new PromptReader(
            storage,
            request.prompts().column(),
            model.tokenizer()::mayRead,
            prompt -> add(prompt, model, spool));
    if (request.prompts() instanceof PromptInput.Texts texts) {
      reader.texts(texts.texts());
    } else if (request.prompts() instanceof PromptInput.Source source) {
      if (source.becomesColumns()) {
        reader.requireColumns();
      }
      reader.source(source.location(), session::open, spool.folder());
      if (spool.count() == 0) {
        throw new BadRequestException(
            "%s holds no prompt: write one a line."
                .formatted(RunFolder.display(source.location())));
      }
    } else if (request.prompts() instanceof PromptInput.Rows rows) {
      rows.frame().read(reader);
    }
  }

  private static void add(AskedPrompt prompt, AskedModel model, PromptSpool spool) {
    try {
      spool.add(prompt.given(), model.ids(prompt));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void toFile(AskedModel model, PromptSpool spool) throws IOException {
    List<WorkFolder.Part> there = file.work().parts(spool);
    AnswerParts parts = new AnswerParts(file.work(), there);
    if (parts.count() > 0) {
      display.line(
          String.format(
              Locale.ROOT,
              "Going on: %,d of %,d prompts are answered",
              parts.count(),
              spool.count()));
    }
    try (Interruption told = new Interruption(() -> keep(parts))) {
      answer(model, spool, parts.count(), parts);
    } catch (RuntimeException e) {
      keep(parts);
      throw e;
    }
    file.publish(parts.parts(), session::open);
  }

  /** What has come so far is there for the same command. */
  private void keep(AnswerParts parts) {
    try {
      parts.flush();
      display.line(
          String.format(
              Locale.ROOT,
              "%,d prompts are answered: the same command goes on behind them",
              parts.count()));
    } catch (IOException e) {
      display.line("The last answers cannot be kept (%s)".formatted(e.getMessage()));
    }
  }

  /** Answers the prompts from {@code first} on. */
  private void answer(AskedModel model, PromptSpool spool, long first, AnswerSink sink)
      throws IOException {
    if (first == spool.count()) {
      return;
    }
    display.phase("Starting Spark on " + Slots.master(session.conf()));
    try (PromptSpool.Reader asked = spool.open();
        PromptSpool.Reader answered = spool.open()) {
      int batchSize = model.decoding().batchSize();
      // where a batch begins, so that all have the prompts that an undisturbed request gives them
      asked.skipTo(first - first % batchSize);
      answered.skipTo(first);
      BatchDesk desk = new BatchDesk(asked, first, spool.count(), batchSize, display);
      AnswerCount count = new AnswerCount(first, spool.count());
      try (ModelService service =
          ModelService.start(session.open().sparkContext(), model, desk, false)) {
        while (!desk.isComplete()) {
          List<Completion> completions = desk.take(ROUND_MILLIS);
          for (Completion completion : completions) {
            Answer answer = model.answer(completion);
            sink.take(answered.read(), answer);
            count.add(answer);
          }
          if (desk.isGenerating()) {
            display.answers(count.now());
          }
          if (completions.isEmpty() && service.hasEnded() && desk.isDry()) {
            throw new JobFailedException(
                "Generation failed: the ranks have left before all prompts were answered.", null);
          }
        }
        sink.flush();
        service.hasEnded(LEAVING);
      }
      display.line(count.summary());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new JobFailedException("Generation was interrupted.", e);
    }
  }
}
