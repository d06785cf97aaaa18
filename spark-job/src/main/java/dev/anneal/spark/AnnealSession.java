package dev.anneal.spark;

import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.Request.Command;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigContext;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.spark.evaluate.EvaluationJob;
import dev.anneal.spark.evaluate.EvaluationOptions;
import dev.anneal.spark.evaluate.EvaluationRequest;
import dev.anneal.spark.evaluate.EvaluationResult;
import dev.anneal.spark.fetch.Fetch;
import dev.anneal.spark.fetch.FetchRequest;
import dev.anneal.spark.fetch.FetchResult;
import dev.anneal.spark.generate.GenerationFrames;
import dev.anneal.spark.job.Run;
import dev.anneal.spark.merge.MergeJob;
import dev.anneal.spark.merge.MergeRequest;
import dev.anneal.spark.plan.PlanRequest;
import dev.anneal.spark.plan.RunMemory;
import dev.anneal.spark.progress.ProgressDisplay.Medium;
import dev.anneal.spark.report.RunReport;
import dev.anneal.spark.session.CallersSession;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.trainer.MemoryPlan;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * Anneal for programs and notebooks that have a Spark session: runs follow one another in it, and
 * it stays as it is. Configurations are values by key, as in {@code Map.of("training.max_steps",
 * 100)}; a value is a text, a number, a boolean, a list or, where the key holds one, a map.
 *
 * <p>Every method throws {@link BadRequestException} for what cannot be carried out as it is and
 * {@link JobFailedException} for what fails on the way, each with one sentence.
 */
public final class AnnealSession {
  private static final StructType ANSWERS =
      StructType.fromDDL("prompt STRING, before STRING, after STRING");

  private static final StructType PROMPTS = StructType.fromDDL("prompt STRING");

  private static final List<String> MERGE_OPTIONS =
      List.of("model", "dtype", "max_shard_size", "verify");

  private final SparkSession spark;
  private final Request.Existing existing;
  private final PrintWriter out;

  AnnealSession(SparkSession spark) {
    this(spark, Request.Existing.KEEP, new PrintWriter(System.out, true, StandardCharsets.UTF_8));
  }

  private AnnealSession(SparkSession spark, Request.Existing existing, PrintWriter out) {
    this.spark = spark;
    this.existing = existing;
    this.out = out;
  }

  /** The same, but a finished run in {@code output.path} is replaced. */
  public AnnealSession overwrite() {
    return new AnnealSession(spark, Request.Existing.REPLACE, out);
  }

  /** The same, with another place than standard output for progress and summary. */
  public AnnealSession printTo(PrintWriter other) {
    return new AnnealSession(spark, existing, other);
  }

  /** Prepares the data, trains, and publishes the adapter. */
  public RunResult run(Map<String, ?> config) {
    return run(null, config);
  }

  /**
   * Same as {@link #run(Map)}, over a configuration file.
   *
   * @param file path or URI; {@code null} for the defaults
   */
  public RunResult run(String file, Map<String, ?> config) {
    return train(Command.RUN, load(file, config));
  }

  /** Trains on the data set that an earlier {@link #prep} has left in {@code output.path}. */
  public RunResult train(Map<String, ?> config) {
    return train(null, config);
  }

  /**
   * Same as {@link #train(Map)}, over a configuration file.
   *
   * @param file path or URI; {@code null} for the defaults
   */
  public RunResult train(String file, Map<String, ?> config) {
    return train(Command.TRAIN, load(file, config));
  }

  /** Prepares the data alone; {@link dev.anneal.data.AnnealDataset} shows it as a DataFrame. */
  public DatasetManifest prep(Map<String, ?> config) {
    return prep(null, config);
  }

  /**
   * Same as {@link #prep(Map)}, over a configuration file.
   *
   * @param file path or URI; {@code null} for the defaults
   */
  public DatasetManifest prep(String file, Map<String, ?> config) {
    return execute(Command.PREP, load(file, config)).dataset();
  }

  /**
   * Brings a model or data set of the Hugging Face hub to a folder of the driver's machine, or by
   * executors to an object store.
   */
  public FetchResult fetch(FetchRequest request) {
    FetchRequest wanted =
        existing == Request.Existing.REPLACE ? request.existing(existing) : request;
    return inSession(session -> Fetch.execute(wanted, session, out, Medium.FILE));
  }

  /**
   * Puts an adapter into its base model.
   *
   * @param adapter path or URI of a PEFT adapter
   * @param output path or URI of an empty folder
   * @param options {@code model} (a path or URI, if it is not the one that the adapter names),
   *     {@code dtype} ({@code fp32}, {@code fp16}, {@code bf16} or {@code fp8}), {@code
   *     max_shard_size} and {@code verify}
   * @return where the merged model is
   */
  public String merge(String adapter, String output, Map<String, ?> options) {
    NamedOptions given =
        NamedOptions.of(
            options, MERGE_OPTIONS, false, "A merge has no option '%s': choose among %s.");
    MergeRequest request =
        MergeRequest.of(
            adapter,
            given.text("model"),
            output,
            given.text("dtype"),
            given.text("max_shard_size", MergeRequest.DEFAULT_SHARD_SIZE),
            Boolean.parseBoolean(given.text("verify", "false")),
            existing);
    return inSession(session -> MergeJob.execute(request, session, out, Medium.FILE));
  }

  /**
   * Asks a model.
   *
   * @param model path or URI of a Hugging Face model folder
   * @param prompts what a user says, a text each
   * @param options {@code adapter}, {@code max_tokens}, {@code temperature}, {@code top_k}, {@code
   *     top_p}, {@code repetition_penalty}, {@code seed}, {@code stop} (a text or a list), {@code
   *     batch_size}, {@code prompts_column}, {@code output}, {@code config} (a file), and values of
   *     the configuration by key
   * @return a row for each: the prompt, {@code text}, {@code finish_reason}, {@code prompt_tokens}
   *     and {@code tokens}
   */
  public Dataset<Row> generate(String model, List<String> prompts, Map<String, ?> options) {
    List<Row> rows = prompts.stream().map(RowFactory::create).toList();
    return generate(model, spark.createDataFrame(rows, PROMPTS), options);
  }

  /**
   * Same as {@link #generate(String, List, Map)}, for the rows of a DataFrame with a column called
   * prompt or messages, which go through the driver.
   *
   * @return the rows in their order, with four columns more
   */
  public Dataset<Row> generate(String model, Dataset<Row> prompts, Map<String, ?> options) {
    return inSession(session -> GenerationFrames.ofRows(model, prompts, options, session, out));
  }

  /**
   * Same as {@link #generate(String, List, Map)}, for what {@code data.source} takes: files, a
   * table as {@code table:catalog.schema.name}, a data set of the hub. With {@code output} answers
   * go there, and the same call goes on where one was cut off.
   */
  public Dataset<Row> generate(String model, String source, Map<String, ?> options) {
    return inSession(session -> GenerationFrames.ofSource(model, source, options, session, out));
  }

  /**
   * Measures loss and perplexity of a data set, with and without an adapter.
   *
   * @param options {@code model}, {@code adapter}, either {@code dataset} (a prepared data set, or
   *     the run that it is of) or {@code data} (rows as {@code data.source} takes them), {@code
   *     split}, {@code generate}, {@code max_tokens}, {@code batch_size} and {@code output}; and
   *     any key of the configuration
   */
  public EvaluationResult evaluate(Map<String, ?> options) {
    return evaluate(null, options);
  }

  /**
   * Same as {@link #evaluate(Map)}, over a configuration file.
   *
   * @param file path or URI; {@code null} for fp32 on one CPU
   */
  public EvaluationResult evaluate(String file, Map<String, ?> options) {
    EvaluationRequest request =
        EvaluationOptions.request(
            options, existing, new ConfigLoader(ConfigContext.of(spark)), file);
    return inSession(session -> EvaluationJob.execute(request, session, out, Medium.FILE));
  }

  /**
   * Says what a run would take of GPUs and hosts, and starts nothing.
   *
   * @param file path or URI; {@code null} for the defaults
   * @param options {@code gpu_memory} (such as {@code 141GB}; if it is not given, that of the
   *     smallest GPU of the driver's machine), {@code host_memory}, {@code network}, and values of
   *     the configuration by key
   * @return what fits, and what would
   */
  public MemoryPlan plan(String file, Map<String, ?> options) {
    Map<String, Object> config = new TreeMap<>(options);
    config.keySet().removeAll(List.of("gpu_memory", "host_memory", "network"));
    PlanRequest request =
        PlanRequest.of(
            load(file, config),
            Objects.toString(options.get("gpu_memory"), null),
            Objects.toString(options.get("host_memory"), null),
            Objects.toString(options.get("network"), null));
    return RunMemory.print(request, hadoop(), out);
  }

  /**
   * Makes the page of a run, or of several over each other, from their files.
   *
   * @param runs paths or URIs of their output folders; they may be under way
   * @param output path or URI of the page; {@code null}: {@code report.html} in the folder of a
   *     single run, else in the working directory
   * @return where the page is
   */
  public String report(List<String> runs, String output) {
    return inSession(
        session ->
            RunReport.write(
                runs,
                output,
                session.hadoop(),
                Redaction.of(session.conf(), session.hadoop())::mask));
  }

  private RunResult train(Command command, AnnealConfig config) {
    List<Row> answers =
        execute(command, config).answers().stream()
            .map(a -> RowFactory.create(a.prompt(), a.before(), a.after()))
            .toList();
    RunFolder folder = new RunFolder(config.output().path(), hadoop());
    return new RunResult(
        folder.display(),
        RunFolder.display(folder.child(RunFolder.resultOf(config.training().mode()))),
        spark.read().json(folder.child(RunFolder.METRICS)),
        spark.createDataFrame(answers, ANSWERS));
  }

  private Run.Result execute(Command command, AnnealConfig config) {
    return inSession(session -> Run.execute(Request.of(command, config, existing), session, out));
  }

  private <T> T inSession(Function<CallersSession, T> work) {
    try (CallersSession session = new CallersSession(spark)) {
      try {
        return work.apply(session);
      } catch (RuntimeException e) {
        throw FailureSentence.failure(e, Redaction.of(session.conf(), session.hadoop()));
      }
    }
  }

  private Configuration hadoop() {
    return spark.sparkContext().hadoopConfiguration();
  }

  private AnnealConfig load(String file, Map<String, ?> config) {
    return new ConfigLoader(ConfigContext.of(spark)).file(file).values(config).load();
  }
}
