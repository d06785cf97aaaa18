package dev.anneal.spark.evaluate;

import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.format.RowFormat;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.Split;
import dev.anneal.data.prep.PrepSpec;
import dev.anneal.data.prep.Preparation;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.preflight.DatasetCheck;
import dev.anneal.spark.preflight.GenerationCheck;
import dev.anneal.spark.preflight.JvmCheck;
import dev.anneal.spark.preflight.OutputPlaceCheck;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.train.Specs;
import dev.anneal.storage.Storage;
import dev.anneal.training.model.config.LlamaConfig;
import java.io.IOException;
import java.util.Arrays;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;

/** Finds out on the driver, before Spark starts, whether an evaluation can be carried out. */
final class EvaluationCheck {
  private final EvaluationRequest request;
  private final AnnealConfig config;
  private final SparkConf spark;
  private final Storage storage;
  private final RunFolder output;

  private EvaluationCheck(EvaluationRequest request, SparkConf spark, Configuration hadoop) {
    this.request = request;
    this.config = request.config();
    this.spark = spark;
    this.storage = new Storage(hadoop);
    this.output = request.output() == null ? null : new RunFolder(request.output(), hadoop);
  }

  /**
   * What was found.
   *
   * @param shape of the model
   * @param tokenizer folder; {@code null} where none is needed and none is there
   * @param preparation of rows that are not prepared; {@code null} where they are
   * @param rows what is measured; {@code null} before rows are prepared
   * @param output {@code null} for none
   */
  record Checked(
      LlamaConfig shape,
      String tokenizer,
      Preparation preparation,
      EvaluatedRows rows,
      RunFolder output) {

    /** The same with the rows that have been prepared. */
    Checked with(EvaluatedRows prepared) {
      return new Checked(shape, tokenizer, preparation, prepared, output);
    }
  }

  /**
   * Checks a request.
   *
   * @param work where rows are prepared that are not; nothing is there
   * @throws BadRequestException if it cannot be carried out
   * @throws dev.anneal.data.error.InvalidDataException if data or tokenizer cannot be used
   * @throws dev.anneal.training.InvalidModelException if model or adapter cannot be used
   */
  static Checked check(
      EvaluationRequest request, String work, SparkConf spark, Configuration hadoop) {
    return new EvaluationCheck(request, spark, hadoop).check(work);
  }

  private Checked check(String work) {
    JvmCheck.check();
    if (config.model().path() == null) {
      throw new BadRequestException(
          "There is no model: name one with --model, or as model.path in the configuration.");
    }
    checkOutput();
    LlamaConfig shape = GenerationCheck.check(config, spark, storage);
    String tokenizer = tokenizer();
    if (request.dataset() == null) {
      checkPrompts();
      Preparation preparation =
          new Preparation(prep(work, tokenizer, shape), new Storage(storage.configuration()));
      preparation.check();
      return new Checked(shape, tokenizer, preparation, null, output);
    }
    EvaluatedRows rows = prepared();
    DatasetCheck.checkTokens(config, shape.vocabSize(), rows.manifest().largestTokenId());
    checkTokenizer(tokenizer, rows.manifest());
    checkLengths(rows, shape);
    if (request.generate() > 0 && EvaluatedRow.first(rows, 1, storage).isEmpty()) {
      throw noPrompts("every token of %s is learned".formatted(RunFolder.display(rows.folder())));
    }
    return new Checked(shape, tokenizer, null, rows, output);
  }

  private void checkOutput() {
    if (output == null) {
      return;
    }
    OutputPlaceCheck.check("--output", output, spark);
    try {
      if (request.existing() == Request.Existing.KEEP && EvaluationFiles.isIn(output)) {
        throw new BadRequestException(
            "%s already holds an evaluation: choose another folder, or add --overwrite to replace it."
                .formatted(output.display()));
      }
      String probe = ".anneal-probe";
      output.write(probe, new byte[0]);
      output.delete(probe);
    } catch (IOException e) {
      throw new BadRequestException(
          "--output %s cannot be written (%s): choose a folder that this user can write to."
              .formatted(output.display(), e.getMessage()),
          e);
    }
  }

  /** Rows as they come, none held out and one a sequence, cut where the model's context ends. */
  private PrepSpec prep(String work, String tokenizer, LlamaConfig shape) {
    PrepSpec asTrained = Specs.prep(config, tokenizer, shape.vocabSize());
    PrepSpec.Sequences sequences = asTrained.sequences();
    return new PrepSpec(
        asTrained.rows(),
        new PrepSpec.Sequences(
            Math.min(sequences.maxLength(), shape.maxPositionEmbeddings()),
            sequences.longRows(),
            false,
            false,
            sequences.trainOnPrompt()),
        asTrained.seed(),
        tokenizer,
        work,
        shape.vocabSize());
  }

  /** The tokenizer that is named, else the model's own where it has one. */
  private String tokenizer() {
    boolean needed =
        request.generate() > 0
            || (request.dataset() == null
                && RowFormat.of(config.data().rows().format()).needsTokenizer());
    if (needed || config.model().tokenizer() != null) {
      return GenerationCheck.tokenizer(config);
    }
    ModelLocation model = ModelLocation.of(config.model().path());
    try {
      return model instanceof ModelLocation.Folder folder
              && storage.exists(folder.location() + "/tokenizer.json")
          ? folder.location()
          : null;
    } catch (IOException e) {
      throw new BadRequestException(Storage.cannotRead(model.display(), e), e);
    }
  }

  private void checkPrompts() {
    boolean text = RowFormat.of(config.data().rows().format()) == RowFormat.TEXT;
    if (request.generate() > 0 && (text || config.data().sequences().trainOnPrompt())) {
      throw noPrompts(
          "with data.%s every token is learned"
              .formatted(text ? "format=text" : "train_on_prompt=true"));
    }
  }

  private static BadRequestException noPrompts(String why) {
    return new BadRequestException(
        "There is no prompt to answer, since %s: leave out --generate.".formatted(why));
  }

  private EvaluatedRows prepared() {
    String folder = request.dataset();
    try {
      String ofRun = folder + "/" + RunFolder.DATASET;
      folder = storage.exists(ofRun + "/" + DatasetManifest.FILE_NAME) ? ofRun : folder;
    } catch (IOException e) {
      throw new BadRequestException(Storage.cannotRead(RunFolder.display(folder), e), e);
    }
    DatasetManifest manifest = DatasetManifest.read(folder, storage);
    Split split = request.split();
    if (split == null) {
      split = manifest.eval().rows() > 0 ? Split.EVAL : Split.TRAIN;
    }
    if (manifest.part(split).sequences() == 0) {
      throw new BadRequestException(
          "The data set in %s holds nothing out: evaluate --split train, or prepare it with data.eval_rows."
              .formatted(RunFolder.display(folder)));
    }
    return new EvaluatedRows(folder, manifest, split);
  }

  private void checkTokenizer(String location, DatasetManifest manifest) {
    if (location != null && manifest.tokenizerSha256() != null) {
      try (ChatTokenizer tokenizer = ChatTokenizer.load(location, storage)) {
        manifest.requireTokenizer(tokenizer, RunFolder.display(location));
      }
    }
  }

  /** Rows are looked at only where the manifest leaves it open. */
  private void checkLengths(EvaluatedRows rows, LlamaConfig shape) {
    int context = shape.maxPositionEmbeddings();
    DatasetManifest manifest = rows.manifest();
    int asked = manifest.spec().maxLength();
    boolean known = manifest.tokenLengths() != null && !manifest.tokenLengths().isEmpty();
    if ((asked > 0 && asked <= context)
        || (known && manifest.tokenLengths().lastKey() <= context)) {
      return;
    }
    try (PreparedDataset dataset = rows.open(storage)) {
      for (long i = 0; i < dataset.size(); i++) {
        int longest = Arrays.stream(dataset.read(i).rowLengths()).max().orElse(0);
        if (longest > context) {
          throw new BadRequestException(
              "%s of %s holds a row of %s tokens, but the model's context has %s: prepare the data with data.max_length=%s."
                  .formatted(
                      dataset.placeOf(i),
                      RunFolder.display(rows.folder()),
                      longest,
                      context,
                      context));
        }
      }
    }
  }
}
