package dev.anneal.spark.output;

import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.DatasetReport;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.trainer.EvaluatedEnd;
import dev.anneal.training.trainer.TrainingSpec;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/** What the user reads at the end: what came of it, where everything lies, what to do next. */
public final class Summary {
  private static final int LONGEST_PROMPT = 240;

  private final PrintWriter out;
  private final AnnealConfig config;
  private final RunFolder folder;
  private final LoraLayout adapters;

  /**
   * @param adapters those that were trained; {@code null} for none
   */
  public Summary(PrintWriter out, AnnealConfig config, RunFolder folder, LoraLayout adapters) {
    this.out = out;
    this.config = config;
    this.folder = folder;
    this.adapters = adapters;
  }

  /** One line on the prepared data set. */
  public static String dataset(DatasetManifest dataset) {
    DatasetManifest.Part train = dataset.train();
    return String.format(
        Locale.ROOT,
        "%,d rows in %,d sequences, %,d tokens, %,d of them learned; %,d rows held out, %,d left out",
        train.rows(),
        train.sequences(),
        train.tokens(),
        train.targetTokens(),
        dataset.eval().rows(),
        dataset.rows().read() - dataset.rows().kept());
  }

  /**
   * After a preparation alone.
   *
   * @param samples prepared rows as text
   */
  public void prepared(DatasetManifest dataset, List<String> samples) {
    out.println();
    out.println(DatasetReport.of(dataset));
    for (int i = 0; i < samples.size(); i++) {
      out.println();
      out.println("row %s, what is learned in ⟦ ⟧".formatted(i + 1));
      out.println(samples.get(i));
    }
    out.println();
    place("Data set", RunFolder.DATASET);
    out.println();
    out.println("Next: train on it with the same configuration: ./submit.sh train ...");
    out.flush();
  }

  /**
   * After a training.
   *
   * @param merged where model and adapter lie as one
   */
  public void trained(
      Outcome outcome,
      Optional<WhereTimeGoes> times,
      List<Answer> answers,
      Optional<String> merged,
      Duration time) {
    out.println();
    out.println(
        String.format(
            Locale.ROOT,
            "Done in %s min %s s: %,d steps on %,d tokens.",
            time.toMinutes(),
            time.toSecondsPart(),
            outcome.steps(),
            outcome.tokens()));
    times.map(WhereTimeGoes::sentence).ifPresent(out::println);
    if (outcome.evalLossBefore().isPresent() && outcome.evalLossAfter().isPresent()) {
      double after =
          outcome
              .end()
              .filter(end -> end.resultStep() == end.bestStep())
              .map(EvaluatedEnd::bestLoss)
              .orElse(outcome.evalLossAfter().getAsDouble());
      out.println(evalLoss(outcome.evalLossBefore().getAsDouble(), after));
    }
    outcome.end().flatMap(EndSentence::of).ifPresent(out::println);
    answers.forEach(this::answer);
    places(merged);
    out.flush();
  }

  static String evalLoss(double before, double after) {
    return String.format(
        Locale.ROOT,
        "Held-out loss %.4f -> %.4f (%+.1f%%)",
        before,
        after,
        100 * (after - before) / before);
  }

  private void answer(Answer answer) {
    out.println();
    out.println("  prompt  " + shorten(inOneLine(answer.prompt())));
    out.println("  before  " + inOneLine(answer.before()));
    if (answer.after() != null) {
      out.println("  after   " + inOneLine(answer.after()));
    }
  }

  private void places(Optional<String> merged) {
    boolean adapter = config.training().mode() == TrainingSpec.Mode.LORA;
    out.println();
    place(adapter ? "Adapter" : "Model", adapter ? RunFolder.ADAPTER : RunFolder.MODEL);
    merged.ifPresent(location -> place("Merged", RunFolder.MERGED));
    place("Metrics", RunFolder.METRICS);
    place("Record", RunFolder.RECORD);
    place("Page", RunFolder.REPORT);
    place("Data set", RunFolder.DATASET);
    out.println();
    merged.ifPresentOrElse(this::serveMerged, () -> next(adapter));
  }

  private void serveMerged(String location) {
    out.println(
        RunFolder.isLocal(location)
            ? "Next: serve it with vLLM: vllm serve " + RunFolder.display(location)
            : "Next: copy %s to a local folder, then serve it with vLLM: vllm serve MERGED"
                .formatted(location));
    out.println(
        "      or load the adapter in Python: peft.PeftModel.from_pretrained(model, \"%s\")"
            .formatted(local(folder.child(RunFolder.ADAPTER), "ADAPTER")));
  }

  private void next(boolean adapter) {
    if (!adapter) {
      out.println(
          "Next: tune it with LoRA: ./submit.sh run --set model.path=%s ..."
              .formatted(path(RunFolder.MODEL)));
    } else if (ModelLocation.of(config.model().path()) instanceof ModelLocation.Folder base) {
      serve(base.location(), folder.child(RunFolder.ADAPTER));
    } else {
      out.println("Next: the base weights were random: set model.path to a model folder.");
    }
  }

  /** vLLM and PEFT read local folders. */
  private void serve(String model, String adapter) {
    List<String> remote = Stream.of(model, adapter).filter(uri -> !RunFolder.isLocal(uri)).toList();
    String localAdapter = local(adapter, "ADAPTER");
    if (!remote.isEmpty()) {
      out.println("Next: copy %s to local folders,".formatted(String.join(" and ", remote)));
    }
    String next = remote.isEmpty() ? "Next:" : "      then";
    Vllm vllm = Vllm.of(adapters);
    if (vllm.reasonAgainst().isPresent()) {
      out.println(
          "%s %s; in Python: peft.PeftModel.from_pretrained(model, \"%s\").merge_and_unload()"
              .formatted(next, vllm.reasonAgainst().get(), localAdapter));
      return;
    }
    out.println(
        "%s serve it with vLLM: vllm serve %s --enable-lora --max-lora-rank %s --lora-modules tuned=%s"
            .formatted(next, local(model, "MODEL"), vllm.maxLoraRank(), localAdapter));
    out.println(
        "      or load it in Python: peft.PeftModel.from_pretrained(model, \"%s\")"
            .formatted(localAdapter));
  }

  private static String local(String location, String otherwise) {
    return RunFolder.isLocal(location) ? RunFolder.display(location) : otherwise;
  }

  private void place(String what, String name) {
    out.println(String.format("%-9s %s", what, path(name)));
  }

  private String path(String name) {
    return RunFolder.display(folder.child(name));
  }

  private static String inOneLine(String text) {
    return text.replaceAll("\\s+", " ");
  }

  private static String shorten(String text) {
    return text.length() <= LONGEST_PROMPT
        ? text
        : "... " + text.substring(text.length() - LONGEST_PROMPT);
  }
}
