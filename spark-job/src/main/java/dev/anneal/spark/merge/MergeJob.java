package dev.anneal.spark.merge;

import dev.anneal.data.task.ObjectBytes;
import dev.anneal.data.task.TaskFailure;
import dev.anneal.data.task.TaskResults;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Redaction;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.job.RootCause;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.progress.Sizes;
import dev.anneal.spark.session.RunSession;
import dev.anneal.spark.storage.FileAudit;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.WrittenFile;
import dev.anneal.training.merge.MergePiece;
import dev.anneal.training.merge.MergePlan;
import dev.anneal.training.merge.MergeProof;
import dev.anneal.training.merge.MergedConfig;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.NativeLibraries;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;

/** One merge from its checks to its result, in a Spark session. */
public final class MergeJob {
  private static final String INDEX = SafetensorsIndex.MODEL_FILE + ".index.json";
  private static final int LINE_OF_LAYERS = 10;

  private final MergeRequest request;
  private final MergeCheck.Checked checked;
  private final ProgressDisplay display;
  private final RunFolder output;
  private final boolean endsRun;

  private MergeJob(MergeRequest request, MergeCheck.Checked checked, ProgressDisplay display) {
    this(request, checked, display, null);
  }

  private MergeJob(
      MergeRequest request,
      MergeCheck.Checked checked,
      ProgressDisplay display,
      RunFolder.Guard guard) {
    this.request = request;
    this.checked = checked;
    this.output = checked.output().guardedBy(guard);
    this.endsRun = guard != null;
    this.display = display;
  }

  /**
   * Says what a request comes to, and does nothing.
   *
   * @throws BadRequestException if it cannot be carried out as it is
   */
  public static void plan(
      MergeRequest request, SparkConf spark, Configuration hadoop, PrintWriter out) {
    MergeCheck.Checked checked = MergeCheck.check(request, spark, hadoop);
    Redaction redaction = Redaction.of(spark, hadoop);
    ProgressDisplay display =
        new ProgressDisplay(out, ProgressDisplay.Medium.FILE, System::nanoTime, redaction::mask);
    new MergeJob(request, checked, display).tellPlan();
    MergeCheck.lackOfRoom(checked).ifPresent(sentence -> display.line("Note: " + sentence));
    checked
        .plan()
        .pieces()
        .forEach(piece -> out.println("  " + piece.file() + "  " + Sizes.of(piece.bytes())));
  }

  /**
   * Carries out a request.
   *
   * @param medium where progress is shown
   * @return the location of the merged model, as a person writes it
   * @throws BadRequestException if it cannot be carried out as it is
   * @throws JobFailedException if it fails on the way
   */
  public static String execute(
      MergeRequest request, RunSession session, PrintWriter out, ProgressDisplay.Medium medium) {
    MergeCheck.Checked checked = MergeCheck.check(request, session.conf(), session.hadoop());
    requireRoom(checked);
    Redaction redaction = Redaction.of(session.conf(), session.hadoop());
    ProgressDisplay display = new ProgressDisplay(out, medium, System::nanoTime, redaction::mask);
    new MergeJob(request, checked, display).carryOut(job -> job.run(session));
    session.succeeded();
    return checked.output().display();
  }

  /**
   * Carries out a request within a session that is open, as the end of a run. A driver that cannot
   * load libtorch compares no logits.
   *
   * @param guard asked before the driver changes something in the output folder
   * @throws BadRequestException if it cannot be carried out as it is
   * @throws JobFailedException if it fails on the way
   */
  public static void execute(
      MergeRequest request, RunFolder.Guard guard, SparkContext spark, ProgressDisplay display) {
    MergeCheck.Checked checked =
        MergeCheck.check(request, spark.conf(), spark.hadoopConfiguration());
    requireRoom(checked);
    new MergeJob(request, checked, display, guard)
        .carryOut(job -> job.run(JavaSparkContext.fromSparkContext(spark)));
  }

  private static void requireRoom(MergeCheck.Checked checked) {
    MergeCheck.lackOfRoom(checked)
        .ifPresent(
            sentence -> {
              throw new BadRequestException(sentence);
            });
  }

  private interface Work {
    void of(MergeJob job) throws IOException;
  }

  private void carryOut(Work work) {
    try {
      work.of(this);
    } catch (InvalidModelException e) {
      throw new JobFailedException(e.getMessage(), e);
    } catch (IOException e) {
      throw new JobFailedException(
          "The merged model in %s cannot be written or read (%s): free space or permit it, and run the same command again."
              .formatted(output.display(), e.getMessage()),
          e);
    }
  }

  private void run(RunSession session) throws IOException {
    tellPlan();
    say("Starting Spark on " + Slots.master(session.conf()) + " ...");
    run(JavaSparkContext.fromSparkContext(session.open().sparkContext()));
    say("Merged model " + output.display());
    say("Next: vllm serve " + output.display());
  }

  private void run(JavaSparkContext spark) throws IOException {
    List<WrittenFile> files;
    if (checked.start() == MergeCheck.Start.VERIFY) {
      files = MergeRecord.find(output).orElseThrow().files();
    } else {
      List<String> sides = SideFiles.names(checked.model(), output.storage());
      MergeRecord record = MergeRecord.begin(checked.identity(), names(sides));
      files = write(spark, begin(record));
      requireSeen(files);
      finish(record, files, sides);
    }
    if (request.verify()) {
      verify(spark, files);
    }
  }

  private void tellPlan() {
    checked.inputs().notes().forEach(note -> say("Note: " + note));
    MergePlan plan = checked.plan();
    say(
        String.format(
            Locale.ROOT,
            "%,d parameters of %s with the adapter %s: %s in %s, weights %s",
            plan.parameters(),
            RunFolder.display(checked.model()),
            RunFolder.display(request.adapter()),
            Sizes.of(plan.bytes()),
            count(plan.pieces().size(), "file"),
            request.dtype() == null
                ? "as the base model has them"
                : "in " + request.dtype().name().toLowerCase(Locale.ROOT)));
  }

  /** The files that an earlier merge of the same has left; the record, where there is none. */
  private List<WrittenFile> begin(MergeRecord begun) throws IOException {
    List<WrittenFile> there = new ArrayList<>();
    if (checked.start() == MergeCheck.Start.REPLACE) {
      MergeCheck.clear(output);
    }
    if (!output.has(MergeRecord.FILE)) {
      output.createNew(MergeRecord.FILE, begun.bytes());
      return there;
    }
    MergeRecord record = MergeRecord.find(output).orElseThrow();
    if (record.isDone() || !record.identity().makesTheSameAs(checked.identity())) {
      throw new JobFailedException(
          "Another merge has begun in %s meanwhile: choose another folder."
              .formatted(output.display()),
          null);
    }
    for (MergePiece piece : checked.plan().pieces()) {
      MergeRecord.written(output, piece).ifPresent(there::add);
    }
    if (!there.isEmpty()) {
      say("Going on: %s of the files are there.".formatted(there.size()));
    }
    return there;
  }

  /** What is written, with these files beside the weights. */
  private List<String> names(List<String> sides) {
    List<String> names = new ArrayList<>();
    checked.plan().pieces().forEach(piece -> names.add(piece.file()));
    names.add(INDEX);
    names.add(LlamaConfig.FILE);
    names.addAll(sides);
    return names;
  }

  /** An executor on another machine may have written to a disk of its own. */
  private void requireSeen(List<WrittenFile> files) throws IOException {
    for (WrittenFile file : files) {
      if (!output.has(file.name())
          || output.storage().size(output.child(file.name())) != file.bytes()) {
        throw new JobFailedException(
            "%s was written, but is not in %s as the driver sees it: --output must be the same shared folder on every node, or a store."
                .formatted(file.name(), output.display()),
            null);
      }
    }
  }

  private List<WrittenFile> write(JavaSparkContext spark, List<WrittenFile> there) {
    List<WrittenFile> files = new ArrayList<>(there);
    List<byte[]> missing = new ArrayList<>();
    long bytes = 0;
    for (MergePiece piece : checked.plan().pieces()) {
      if (there.stream().noneMatch(file -> file.name().equals(piece.file()))) {
        missing.add(ObjectBytes.of(piece));
        bytes += piece.bytes();
      }
    }
    if (!missing.isEmpty()) {
      long start = System.nanoTime();
      MergeTask task = new MergeTask(checked.model(), request.adapter(), output);
      JavaRDD<WrittenFile> written =
          spark
              .parallelize(missing, missing.size())
              .map(
                  piece ->
                      TaskFailure.readable(() -> task.write((MergePiece) ObjectBytes.read(piece))));
      long total = bytes;
      display.phase("Merging");
      try (TaskProgress progress =
          new TaskProgress(spark, missing.size(), done -> show(total, done, missing.size()))) {
        files.addAll(onCluster(() -> TaskResults.collect(written), "merged"));
      }
      double seconds = Duration.ofNanos(System.nanoTime() - start).toMillis() / 1e3;
      say(
          "Wrote %s in %s s, %s a second"
              .formatted(
                  Sizes.of(bytes),
                  String.format(Locale.ROOT, "%.1f", seconds),
                  Sizes.of((long) (bytes / Math.max(seconds, 1e-3)))));
    }
    return files;
  }

  private void show(long bytes, int done, int tasks) {
    long doneBytes = bytes / tasks * done;
    display.progress(new RankEvent.Progress("merging", doneBytes, bytes));
  }

  private <T> T onCluster(Supplier<T> work, String done) {
    try {
      return work.get();
    } catch (Exception e) {
      // Spark's are checked exceptions that no signature tells of
      throw new JobFailedException(
          "Not all files could be %s (%s): the same command goes on from there."
              .formatted(done, RootCause.sentence(e).replaceFirst("[.\\s]+$", "")),
          e);
    }
  }

  /** What else belongs to the model; its configuration comes last, and then it can be loaded. */
  private void finish(MergeRecord record, List<WrittenFile> files, List<String> sides)
      throws IOException {
    SideFiles.copy(sides, checked.model(), output);
    Optional<String> index = checked.plan().index();
    if (index.isPresent()) {
      write(INDEX, index.get());
    }
    write(LlamaConfig.FILE, MergedConfig.of(checked.inputs().base(), request.dtype()));
    output.write(MergeRecord.FILE, record.done(files).bytes());
    output.delete(MergeRecord.NOTES);
    MergeCheck.removeParts(output);
  }

  private void write(String name, String text) throws IOException {
    output.write(name, text.getBytes(StandardCharsets.UTF_8));
  }

  private void verify(JavaSparkContext spark, List<WrittenFile> files) throws IOException {
    List<FileAudit.Suspect> suspects =
        files.stream()
            .map(file -> new FileAudit.Suspect(output.child(file.name()), file.sha256()))
            .toList();
    Optional<String> altered =
        onCluster(() -> FileAudit.firstAltered(spark, output.storage(), suspects), "read again");
    if (altered.isPresent()) {
      throw new JobFailedException(
          "%s is not as it was written: look at the disk or the store, and merge again with --overwrite."
              .formatted(RunFolder.display(altered.get())),
          null);
    }
    say("Verified: %s as written (SHA-256)".formatted(count(files.size(), "file")));
    long needed = MergeProof.bytes(checked.inputs().config());
    if (needed > MergeCheck.freeMemory()) {
      say(
          "Logits not compared: a layer of this model takes %s of memory, and this machine or its container has %s free."
              .formatted(Sizes.of(needed), Sizes.of(MergeCheck.freeMemory())));
      return;
    }
    if (endsRun) {
      // the run's ranks may have it where the driver has not
      Optional<String> lack = lackOfLibrary(NativeLibraries::load);
      if (lack.isPresent()) {
        say("Logits not compared: libtorch cannot be loaded here (%s).".formatted(lack.get()));
        return;
      }
    }
    compareLogits();
  }

  /** Why a library cannot be loaded; empty where it is. */
  static Optional<String> lackOfLibrary(Runnable load) {
    try {
      load.run();
      return Optional.empty();
    } catch (LinkageError | UncheckedIOException e) {
      String message = e.getMessage() == null ? e.toString() : e.getMessage();
      return Optional.of(message.lines().findFirst().orElse("").replaceFirst("[.\\s]+$", ""));
    }
  }

  private void compareLogits() throws IOException {
    int layers = checked.inputs().config().numHiddenLayers();
    MergeProof proof =
        MergeProof.of(
            checked.inputs(),
            new StorageModelFolder(request.output(), output.storage()),
            layer -> {
              if ((layer + 1) % LINE_OF_LAYERS == 0) {
                say("  layer %s/%s compared".formatted(layer + 1, layers));
              }
            });
    String found =
        String.format(
            Locale.ROOT,
            "hidden states within %.1e, logits within %.1e of base and adapter in fp32, %d of %d likeliest tokens equal",
            proof.largestOfLayers(),
            proof.logits(),
            proof.sameTokens(),
            proof.positions());
    if (!proof.holds(checked.plan().coarsest())) {
      throw new JobFailedException(
          "The merged model in %s is not base and adapter (%s), which rounding does not explain: report it, and do not use it."
              .formatted(output.display(), found),
          null);
    }
    say("Verified: " + found);
  }

  private static String count(int count, String what) {
    return count == 1 ? "one " + what : count + " " + what + "s";
  }

  private void say(String line) {
    display.line(line);
  }
}
