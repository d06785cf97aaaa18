package dev.anneal.spark.preflight;

import dev.anneal.data.format.RowFormat;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.prep.PrepCheck.Report;
import dev.anneal.data.prep.PrepSpec;
import dev.anneal.data.prep.Preparation;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.TokenizerFiles;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.progress.Sizes;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.spark.train.Batches;
import dev.anneal.spark.train.PreparedData;
import dev.anneal.spark.train.Specs;
import dev.anneal.storage.Storage;
import dev.anneal.training.lora.AdapterCheck;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelCheck;
import dev.anneal.training.model.config.ModelFingerprint;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.trainer.TrainingSpec;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;

/** Finds out on the driver, before Spark starts, whether a request can be carried out. */
public final class Preflight {
  private final Request request;
  private final AnnealConfig config;
  private final SparkConf spark;
  private final Storage storage;
  private final RunFolder folder;
  private final List<String> notes = new ArrayList<>();

  /** {@code null} where none are trained. */
  private LoraLayout adapters;

  private MergedModel merged = new MergedModel.Unwanted();

  private Preflight(Request request, SparkConf spark, Configuration hadoop) {
    this.request = request;
    this.config = request.config();
    this.spark = spark;
    this.storage = new Storage(hadoop);
    this.folder = new RunFolder(config.output().path(), hadoop);
  }

  /**
   * Checks a request, what is quick to check first.
   *
   * @throws BadRequestException if it cannot be carried out
   * @throws dev.anneal.data.error.InvalidDataException if data or tokenizer cannot be used
   * @throws dev.anneal.training.InvalidModelException if model or adapter cannot be used
   */
  public static CheckedRequest check(Request request, SparkConf spark, Configuration hadoop) {
    requireKeys(request);
    JvmCheck.check();
    return new Preflight(request, spark, hadoop).check();
  }

  /**
   * Checks what is known without the model, before one is fetched.
   *
   * @throws BadRequestException if the request cannot be carried out
   */
  public static void checkBeforeModel(Request request, SparkConf spark, Configuration hadoop) {
    requireKeys(request);
    JvmCheck.check();
    new Preflight(request, spark, hadoop).checkSettings();
  }

  /** Looks at the output folder again, now that nobody else writes to it. */
  public static CheckedRequest again(Request request, CheckedRequest checked) {
    OutputCheck.checkFree(request, checked.folder());
    CheckedRequest.Model model = checked.model();
    return checked.after(
        EarlierRun.find(request, checked.folder(), model.tokenizer(), model.fingerprint()));
  }

  /** The folders in the output folder that a run which begins anew removes. */
  public static List<String> replacedFolders(Request request, RunFolder folder) throws IOException {
    return OutputCheck.replacedFolders(request, folder);
  }

  /**
   * A check that needs neither a cluster nor rows.
   *
   * @param name of what it looks at
   * @param place the key whose place it reads; {@code null} for none, or one that nobody else reads
   * @param check throws as {@link #check} does
   */
  public record Part(String name, String place, Runnable check) {}

  /** The checks that can be made each by itself, of what is set. */
  public static List<Part> parts(Request request, SparkConf spark, Configuration hadoop) {
    AnnealConfig config = request.config();
    Preflight preflight = new Preflight(request, spark, hadoop);
    List<Part> parts = new ArrayList<>();
    parts.add(new Part("jvm", null, JvmCheck::check));
    parts.add(new Part("settings", null, () -> ClusterCheck.check(config, spark)));
    parts.add(new Part("gpu settings", null, () -> GpuCheck.check(config, spark)));
    parts.add(new Part("combination", null, preflight::checkCombination));
    if (config.output().path() != null) {
      parts.add(new Part("output free", "output.path", preflight::checkOutput));
    }
    // one of the hub has no files before a run fetches them
    if (config.model().path() != null && !ModelLocation.isHub(config.model().path())) {
      ModelLocation model = ModelLocation.of(config.model().path());
      parts.add(new Part("weights", "model.path", () -> preflight.checkModel(model)));
      String place = config.model().tokenizer() == null ? "model.path" : null;
      parts.add(new Part("tokenizer", place, () -> preflight.checkTokenizer(model)));
    }
    return parts;
  }

  private static void requireKeys(Request request) {
    if (request.command().trains() || request.config().model().tokenizer() == null) {
      require("model.path", request.config().model().path());
    }
    require("output.path", request.config().output().path());
    if (request.command().prepares()) {
      require("data.source", request.config().data().rows().source());
    }
  }

  private static void require(String key, String value) {
    if (value == null) {
      throw new BadRequestException(
          "%s is not set: set it in the configuration or with --set %s=...".formatted(key, key));
    }
  }

  private void checkSettings() {
    ClusterCheck.checkExecutors(spark);
    if (request.command().trains()) {
      checkCombination();
      ClusterCheck.check(config, spark);
      GpuCheck.check(config, spark);
    }
    checkOutput();
  }

  private CheckedRequest check() {
    checkSettings();
    String path = config.model().path();
    ModelLocation model = path == null ? null : ModelLocation.of(path);
    String tokenizer = tokenizer(model);
    LlamaConfig shape = model == null ? null : checkModel(model);
    // rows can be prepared for a tokenizer alone
    int vocabSize = shape == null ? Integer.MAX_VALUE : shape.vocabSize();
    String fingerprint = request.command().trains() ? fingerprint(model, shape) : null;
    Optional<ResumeState> earlier = EarlierRun.find(request, folder, tokenizer, fingerprint);
    Preparation prep =
        request.command().prepares()
            ? new Preparation(Specs.prep(config, tokenizer, vocabSize), storage)
            : null;
    PrepSpec evalSpec = Specs.evalPrep(config, tokenizer, vocabSize);
    Preparation evalPrep =
        prep == null || evalSpec == null ? null : new Preparation(evalSpec, storage);
    if (prep == null) {
      checkDataset(tokenizer, vocabSize);
    } else if (earlier.map(ResumeState::data).isEmpty()) {
      checkSource(prep);
      if (evalPrep != null) {
        EvalSource.named(evalPrep::check);
      }
    }
    OutputCheck.checkWritable(folder);
    CheckedRequest.Model trained =
        new CheckedRequest.Model(fingerprint, tokenizer, vocabSize, adapters, merged);
    return new CheckedRequest(config, prep, evalPrep, trained, folder, earlier, notes);
  }

  private void checkCombination() {
    BuildCheck.check(config);
    boolean heldOut = config.data().rows().evalRows() > 0 || config.data().evalRows().areGiven();
    if (request.command().prepares() && !heldOut) {
      BuildCheck.requireUnjudged(config);
    }
    if (trainsAdapters()) {
      // a regular expression that is not understood needs no model to be refused
      Specs.lora(config);
    }
  }

  private void checkOutput() {
    OutputPlaceCheck.check("output.path", folder, spark);
    InputsCheck.checkKept(request, folder);
    OutputCheck.checkFree(request, folder);
  }

  private void checkTokenizer(ModelLocation model) {
    String location = tokenizer(model);
    if (location != null) {
      String template = config.data().rows().template();
      ChatTokenizer.of(TokenizerFiles.read(location, template, storage)).close();
    }
  }

  private String fingerprint(ModelLocation location, LlamaConfig shape) {
    try {
      return ModelFingerprint.of(location.open(storage, config.training().seed()), shape);
    } catch (IOException e) {
      throw unreadable(location, e);
    }
  }

  private LlamaConfig checkModel(ModelLocation location) {
    try {
      LlamaConfig shape = shape(location);
      if (config.data().sequences().maxLength() > shape.maxPositionEmbeddings()) {
        throw new BadRequestException(
            "data.max_length is %s, but the model %s takes at most %s tokens: set data.max_length=%s."
                .formatted(
                    config.data().sequences().maxLength(),
                    location.display(),
                    shape.maxPositionEmbeddings(),
                    shape.maxPositionEmbeddings()));
      }
      if (request.command().trains()) {
        BuildCheck.checkShape(config, shape);
        GpuCheck.checkFits(config, shape, spark);
        MemoryCheck.check(config, shape, spark);
      }
      if (trainsAdapters()) {
        checkAdapters(shape);
      }
      if (request.command().trains()) {
        checkMerged(shape);
      }
      return shape;
    } catch (IOException e) {
      throw unreadable(location, e);
    }
  }

  private boolean trainsAdapters() {
    return request.command().trains() && config.training().mode() == TrainingSpec.Mode.LORA;
  }

  private void checkAdapters(LlamaConfig shape) throws IOException {
    LoraLayout layout = LoraLayout.of(Specs.lora(config), shape);
    layout.requirePatternsUsed();
    layout.requireSingularValues(shape);
    if (config.lora().initFrom() != null) {
      AdapterCheck.check(new StorageModelFolder(config.lora().initFrom(), storage), shape, layout);
    }
    adapters = layout.published();
    notes.addAll(AdapterNotes.of(config, layout));
  }

  private void checkMerged(LlamaConfig shape) throws IOException {
    if (config.output().path() == null) {
      // nobody knows yet where it would lie
      return;
    }
    merged = MergedModel.of(config, shape, adapters, folder);
    if (merged instanceof MergedModel.Made made) {
      notes.add(
          "model and adapter are published as one too, %s in %s."
              .formatted(
                  Sizes.of(made.bytes()), RunFolder.display(folder.child(RunFolder.MERGED))));
    } else if (merged instanceof MergedModel.Impossible impossible) {
      if (!MergedModel.isAuto(config)) {
        throw new BadRequestException(
            "output.merged is true, but %s: set output.merged=false."
                .formatted(impossible.reason()));
      }
      notes.add(
          "model and adapter are not published as one, which vLLM would take: %s."
              .formatted(impossible.reason()));
    }
  }

  private static BadRequestException unreadable(ModelLocation location, IOException e) {
    return new BadRequestException(
        "The model %s cannot be read (%s): check model.path and lora.init_from."
            .formatted(location.display(), e.getMessage()),
        e);
  }

  private LlamaConfig shape(ModelLocation location) throws IOException {
    ModelSource source = location.open(storage, config.training().seed());
    if (!(source instanceof ModelSource.Folder model)) {
      return source.config();
    }
    if (!request.command().trains()) {
      // rows can be prepared where there are no weights yet
      return LlamaConfig.read(model.folder());
    }
    ModelCheck.Checked checked = ModelCheck.check(model.folder());
    notes.addAll(checked.notes());
    return checked.config();
  }

  private String tokenizer(ModelLocation location) {
    if (config.model().tokenizer() != null) {
      return config.model().tokenizer();
    }
    String evalFormat = config.data().evalRows().evalFormat();
    boolean needed =
        RowFormat.of(config.data().rows().format()).needsTokenizer()
            || (evalFormat != null && RowFormat.of(evalFormat).needsTokenizer());
    if (location instanceof ModelLocation.Folder folder
        && (needed || hasTokenizer(folder.location()))) {
      return folder.location();
    }
    if (needed) {
      throw new BadRequestException(
          "model.path %s has no tokenizer of its own: set model.tokenizer to a folder with tokenizer.json."
              .formatted(location.display()));
    }
    return null;
  }

  private boolean hasTokenizer(String folder) {
    try {
      return storage.exists(folder + "/tokenizer.json");
    } catch (IOException e) {
      throw new BadRequestException(Storage.cannotRead(folder, e), e);
    }
  }

  private void checkSource(Preparation prep) {
    Report rows = prep.check();
    if (request.command().trains() && rows.complete()) {
      // a sequence holds at least one row
      long sequences = rows.rows() - rows.badRows() - config.data().rows().evalRows();
      Batches.requireOneStep(config, "at most " + sequences, sequences);
    }
  }

  private void checkDataset(String tokenizer, int vocabSize) {
    PreparedData data = PreparedData.read(config, folder);
    DatasetCheck.check(config, vocabSize, data);
    Stream.of(data.train(), data.eval())
        .filter(dataset -> dataset != null && dataset.tokenizerSha256() != null)
        .filter(dataset -> tokenizer != null)
        .forEach(dataset -> checkSameTokenizer(tokenizer, dataset));
  }

  private void checkSameTokenizer(String location, DatasetManifest dataset) {
    TokenizerFiles files = TokenizerFiles.read(location, config.data().rows().template(), storage);
    try (ChatTokenizer tokenizer = ChatTokenizer.of(files)) {
      if (!tokenizer.tokenizerSha256().equals(dataset.tokenizerSha256())) {
        throw otherThanPrepared("tokenizer", location);
      }
      String template = dataset.templateSha256();
      if (template != null && !template.equals(tokenizer.templateSha256().orElse(null))) {
        String own = config.data().rows().template();
        throw otherThanPrepared("chat template", own == null ? location : own);
      }
    }
  }

  private BadRequestException otherThanPrepared(String what, String location) {
    return new BadRequestException(
        "The data set in %s was prepared with another %s than that of %s: run prep again with --overwrite."
            .formatted(folder.display(), what, RunFolder.display(location)));
  }
}
