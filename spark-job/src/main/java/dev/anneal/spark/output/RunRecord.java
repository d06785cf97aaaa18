package dev.anneal.spark.output;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.spark.AnnealVersion;
import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.train.PreparedData;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.trainer.EvaluatedEnd;
import dev.anneal.training.trainer.StepMetrics;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.apache.spark.SparkContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code run.json}: what was asked for, on what it ran, and how it ended. */
public final class RunRecord {
  private static final ObjectMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private static final Logger LOG = LoggerFactory.getLogger(RunRecord.class);

  /** Whose times are told: a record that grows with every step would cost more each time. */
  private static final int MOST_CHECKPOINTS = 1000;

  private final RunFolder folder;
  private final UnaryOperator<String> masked;
  private final ObjectNode root = JSON.createObjectNode();
  private final Instant start = Instant.now();
  private final Object writing = new Object();
  private RunState state = RunState.RUNNING;
  private long tokens;
  private long targetTokens;
  private long skippedSteps;
  private long peakMemoryBytes;

  RunRecord(RunFolder folder, UnaryOperator<String> masked) {
    this.folder = folder;
    this.masked = masked;
  }

  /**
   * Writes the record of a run that begins.
   *
   * @param masked what a sentence becomes before it is written
   * @param earlier {@code run.json} of the run that this one goes on with
   */
  public static RunRecord begin(
      RunFolder folder,
      Request request,
      SparkContext spark,
      UnaryOperator<String> masked,
      Optional<byte[]> earlier)
      throws IOException {
    RunRecord record = new RunRecord(folder, masked);
    record.root.put("state", RunState.RUNNING.jsonName());
    record.root.putNull("error");
    record.root.put("command", request.command().name().toLowerCase(Locale.ROOT));
    record.root.put("started_at", record.start.toString());
    record
        .root
        .putObject("versions")
        .put("anneal", AnnealVersion.anneal())
        .put("spark", spark.version())
        .put("java", System.getProperty("java.version"))
        .put("libtorch", AnnealVersion.libtorch());
    record
        .root
        .putObject("spark")
        .put("master", spark.master())
        .put("application_id", spark.applicationId());
    record.root.set("config", request.config().resolved());
    record.root.putArray("attempts");
    record.root.putArray("phases");
    record.root.putArray("ranks");
    record.root.putObject("totals");
    earlier.ifPresent(record::continueFrom);
    record.write();
    return record;
  }

  /**
   * What was trained on, so that a merge knows its base model.
   *
   * @param fingerprint see {@link dev.anneal.training.model.config.ModelFingerprint}
   */
  public synchronized void model(String fingerprint) {
    root.put("model_fingerprint", fingerprint);
  }

  /**
   * What the training is to come to.
   *
   * @param steps of the whole run
   * @param adapters {@code null} where every weight trains
   */
  public synchronized void training(long steps, LoraLayout adapters) {
    root.put("planned_steps", steps);
    if (adapters != null) {
      Vllm vllm = Vllm.of(adapters);
      ObjectNode json = root.putObject("vllm");
      vllm.reasonAgainst()
          .ifPresentOrElse(
              reason -> json.put("refuses", reason),
              () -> json.put("max_lora_rank", vllm.maxLoraRank()));
    }
  }

  /** Model and adapter are published as one, too. */
  public synchronized void merged(String location) {
    root.put("merged", RunFolder.display(location));
  }

  /** Something long begins; it ends with the next, or with the attempt. */
  public synchronized void phase(String phase) {
    root.withArrayProperty("phases")
        .addObject()
        .put("phase", phase)
        .put("began_at", Instant.now().toString());
  }

  /** Held-out prompts as the model continues them, in place of those of before. */
  public synchronized void samples(List<Answer> samples) {
    ArrayNode all = root.putArray("samples");
    for (Answer sample : samples) {
      ObjectNode json =
          all.addObject().put("prompt", sample.prompt()).put("before", sample.before());
      if (!sample.between().isEmpty()) {
        ArrayNode between = json.putArray("between");
        sample
            .between()
            .forEach((step, text) -> between.addObject().put("step", step).put("text", text));
      }
      json.put("after", sample.after());
    }
  }

  /** A copy of it as it is now. */
  public synchronized JsonNode snapshot() {
    return root.deepCopy();
  }

  /** The configuration with what memory has decided; whoever writes next writes it. */
  public synchronized void settled(AnnealConfig config) {
    root.set("config", config.resolved());
  }

  public synchronized void dataset(PreparedData data) {
    DatasetManifest dataset = data.train();
    root.putObject("dataset")
        .put("train_sequences", dataset.train().sequences())
        .put("train_rows", dataset.train().rows())
        .put("train_tokens", dataset.train().tokens())
        .put("eval_rows", data.evalRows());
  }

  public synchronized void rank(RankEvent.Started rank) {
    ObjectNode json =
        root.withArrayProperty("ranks")
            .addObject()
            .put("rank", rank.rank())
            .put("host", rank.host())
            .put("executor", rank.executor())
            .put("pid", rank.pid())
            .put("os", rank.os())
            .put("cores", rank.cores())
            .put("memory_bytes", rank.memoryBytes());
    if (rank.gpu() != null) {
      json.putObject("gpu")
          .put("index", rank.gpu().index())
          .put("name", rank.gpu().name())
          .put("memory_bytes", rank.gpu().memoryBytes())
          .put("driver", rank.gpu().driver());
    }
  }

  /** The most memory that each rank of the attempt has held. */
  public synchronized void peakMemory(List<Long> bytes) {
    for (JsonNode rank : root.withArrayProperty("ranks")) {
      int number = rank.path("rank").asInt();
      if (number < bytes.size() && rank instanceof ObjectNode json) {
        json.put("peak_memory_bytes", bytes.get(number));
      }
    }
  }

  /**
   * Takes up the attempts of the run that this one goes on with, and its last checkpoint.
   *
   * @param earlier its {@code run.json}
   */
  synchronized void continueFrom(byte[] earlier) {
    JsonNode before = parsed(earlier);
    ArrayNode attempts = root.putArray("attempts");
    for (JsonNode attempt : before.path("attempts")) {
      if (attempt instanceof ObjectNode kept) {
        if (kept.path("ended").isNull()) {
          kept.put("ended", "The driver ended without a word.");
        }
        attempts.add(kept);
      }
    }
    if (before.path("phases") instanceof ArrayNode phases) {
      root.set("phases", phases);
    }
    if (before.path("checkpoints") instanceof ObjectNode checkpoints) {
      root.set("checkpoints", checkpoints);
    }
  }

  private static JsonNode parsed(byte[] earlier) {
    try {
      return JSON.readTree(earlier);
    } catch (IOException e) {
      // a record is no reason to refuse what a checkpoint vouches for
      LOG.warn("the run.json that was there cannot be read", e);
      return MissingNode.getInstance();
    }
  }

  /**
   * An attempt at training begins, with ranks of its own.
   *
   * @param resumedFromStep of the checkpoint it goes on from; {@code null} where it begins anew
   */
  public void attempt(String id, Long resumedFromStep) {
    synchronized (this) {
      root.withArrayProperty("attempts")
          .addObject()
          .put("id", id)
          .put("began_at", Instant.now().toString())
          .put("resumed_from_step", resumedFromStep)
          .putNull("ended");
      root.putArray("ranks");
    }
    writeQuietly();
  }

  /** The attempt has ended, in one sentence. */
  public void attemptEnded(String how) {
    synchronized (this) {
      ArrayNode attempts = root.withArrayProperty("attempts");
      if (attempts.get(attempts.size() - 1) instanceof ObjectNode last) {
        last.put("ended_at", Instant.now().toString()).put("ended", masked.apply(how));
      }
    }
    writeQuietly();
  }

  /** A checkpoint is complete. */
  public void checkpoint(long step) {
    synchronized (this) {
      ArrayNode completed =
          root.withObjectProperty("checkpoints")
              .put("last_complete_step", step)
              .withArrayProperty("completed");
      completed.addObject().put("step", step).put("at", Instant.now().toString());
      if (completed.size() > MOST_CHECKPOINTS) {
        completed.remove(0);
      }
    }
    writeQuietly();
  }

  public synchronized void step(StepMetrics metrics) {
    tokens += metrics.tokens();
    targetTokens += metrics.targetTokens();
    skippedSteps += metrics.skipped() ? 1 : 0;
    peakMemoryBytes = Math.max(peakMemoryBytes, metrics.peakMemoryBytes());
    totals()
        .put("steps", metrics.step())
        .put("skipped_steps", skippedSteps)
        .put("tokens", tokens)
        .put("target_tokens", targetTokens)
        .put("epochs", metrics.epoch())
        .put("peak_memory_bytes", peakMemoryBytes);
    if (Double.isFinite(metrics.loss())) {
      totals().put("last_loss", metrics.loss());
    }
  }

  public synchronized void evaluation(long step, double evalLoss) {
    totals()
        .put(
            step == 0 ? "eval_loss_before" : "eval_loss_after",
            Double.isFinite(evalLoss) ? (Double) evalLoss : null);
  }

  /** A run that was evaluated on its way has done its steps; the numbers of its result. */
  public void ended(EvaluatedEnd end) {
    synchronized (this) {
      root.putObject("evaluation")
          .put("result_step", end.resultStep())
          .put("best_step", end.bestStep())
          .put("best_eval_loss", end.bestLoss())
          .put("ended_early", end.early())
          .put("reason", EndSentence.reason(end).orElse(null));
    }
    writeQuietly();
  }

  /** Counts anew what is left after a rewind. */
  public synchronized void rewind(MetricsLog log) {
    tokens = 0;
    targetTokens = 0;
    skippedSteps = 0;
    peakMemoryBytes = 0;
    root.putObject("totals");
    root.remove("evaluation");
    log.replay(this::step, this::evaluation);
  }

  /** Closes the record of a run that has done all it was asked for. */
  public void succeeded() throws IOException {
    end(RunState.SUCCEEDED, null);
  }

  /** Closes the record of a run that has failed, if it can, unless it is closed already. */
  public void failedQuietly(String error) {
    try {
      end(RunState.FAILED, error);
    } catch (IOException e) {
      LOG.warn("run.json cannot be written", e);
    }
  }

  private void end(RunState end, String error) throws IOException {
    synchronized (this) {
      if (state != RunState.RUNNING) {
        return;
      }
      state = end;
      Instant now = Instant.now();
      root.put("state", end.jsonName())
          .put("error", error == null ? null : masked.apply(error))
          .put("ended_at", now.toString());
      totals().put("seconds", (now.toEpochMilli() - start.toEpochMilli()) / 1000.0);
    }
    write();
  }

  // a store that is away now may be there when the run ends
  private void writeQuietly() {
    try {
      write();
    } catch (IOException e) {
      LOG.warn("run.json cannot be written", e);
    }
  }

  private ObjectNode totals() {
    return root.withObjectProperty("totals");
  }

  /** A store that is away holds up who writes, but nobody who tells of a step. */
  private void write() throws IOException {
    synchronized (writing) {
      folder.write(RunFolder.RECORD, json());
    }
  }

  private synchronized byte[] json() throws IOException {
    return JSON.writeValueAsBytes(root);
  }
}
