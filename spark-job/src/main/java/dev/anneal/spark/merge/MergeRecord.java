package dev.anneal.spark.merge;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.spark.AnnealVersion;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.io.WrittenFile;
import dev.anneal.training.merge.MergePiece;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * {@code merge.json} of a merged model: what it was made of, whether it is whole, and its files
 * with their sums. While the work goes on, each file that is done has a note of its own beside it,
 * so that the same command goes on from there.
 */
final class MergeRecord {
  static final String FILE = "merge.json";

  /** Where the notes lie, until the model is whole. */
  static final String NOTES = "_merge";

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String STATE = "state";
  private static final String RUNNING = "running";
  private static final String SUCCEEDED = "succeeded";
  private static final String MODEL_FINGERPRINT = "model_fingerprint";
  private static final String NAMES = "names";
  private static final String FILES = "files";

  private final ObjectNode json;

  private MergeRecord(ObjectNode json) {
    this.json = json;
  }

  /**
   * What a merge is of.
   *
   * @param model where its base model lies
   * @param modelFingerprint see {@link dev.anneal.training.model.config.ModelFingerprint}
   * @param adapter where the adapter lies
   * @param plan see {@link dev.anneal.training.merge.MergePlan#fingerprint}
   */
  record Identity(
      String model,
      String modelFingerprint,
      String adapter,
      String adapterFingerprint,
      String plan) {

    /** Whether they make the same files, wherever model and adapter lie now. */
    boolean makesTheSameAs(Identity other) {
      return modelFingerprint.equals(other.modelFingerprint)
          && adapterFingerprint.equals(other.adapterFingerprint)
          && plan.equals(other.plan);
    }
  }

  /**
   * The record of a merge that begins.
   *
   * @param names of everything that it writes
   */
  static MergeRecord begin(Identity identity, List<String> names) {
    ObjectNode json = JSON.createObjectNode();
    json.put(STATE, RUNNING);
    json.put("anneal", AnnealVersion.anneal());
    json.put("started_at", Instant.now().toString());
    json.put("model", identity.model());
    json.put(MODEL_FINGERPRINT, identity.modelFingerprint());
    json.put("adapter", identity.adapter());
    json.put("adapter_fingerprint", identity.adapterFingerprint());
    json.put("plan", identity.plan());
    names.forEach(json.putArray(NAMES)::add);
    return new MergeRecord(json);
  }

  /**
   * The record in a folder.
   *
   * @throws IOException also if it is damaged
   */
  static Optional<MergeRecord> find(RunFolder output) throws IOException {
    if (!output.has(FILE)) {
      return Optional.empty();
    }
    if (JSON.readTree(output.read(FILE)) instanceof ObjectNode json
        && json.has(STATE)
        && json.has(MODEL_FINGERPRINT)) {
      return Optional.of(new MergeRecord(json));
    }
    throw new IOException(FILE + " is not Anneal's");
  }

  boolean isDone() {
    return json.path(STATE).asText().equals(SUCCEEDED);
  }

  Identity identity() {
    return new Identity(
        json.path("model").asText(),
        json.path(MODEL_FINGERPRINT).asText(),
        json.path("adapter").asText(),
        json.path("adapter_fingerprint").asText(),
        json.path("plan").asText());
  }

  /** Names of what the merge writes, has written or would have. */
  List<String> names() {
    List<String> names = new ArrayList<>();
    json.path(NAMES).forEach(name -> names.add(name.asText()));
    return names;
  }

  /** The files of tensors, of a model that is whole. */
  List<WrittenFile> files() {
    List<WrittenFile> files = new ArrayList<>();
    for (JsonNode file : json.path(FILES)) {
      files.add(written(file.path("name").asText(), file));
    }
    return files;
  }

  byte[] bytes() {
    return json.toPrettyString().getBytes(StandardCharsets.UTF_8);
  }

  /** The same of a model that is whole. */
  MergeRecord done(List<WrittenFile> files) {
    ObjectNode whole = json.deepCopy();
    whole.put(STATE, SUCCEEDED);
    whole.put("ended_at", Instant.now().toString());
    for (WrittenFile file : files) {
      whole.withArrayProperty(FILES).add(entry(file));
    }
    return new MergeRecord(whole);
  }

  /** Notes that a file is done. */
  static void note(RunFolder output, WrittenFile file) throws IOException {
    output.write(note(file.name()), entry(file).toString().getBytes(StandardCharsets.UTF_8));
  }

  /** The file of a piece, if an earlier merge has written it whole. */
  static Optional<WrittenFile> written(RunFolder output, MergePiece piece) throws IOException {
    if (!output.has(note(piece.file())) || !output.has(piece.file())) {
      return Optional.empty();
    }
    JsonNode note = JSON.readTree(output.read(note(piece.file())));
    WrittenFile file = written(piece.file(), note);
    return output.storage().size(output.child(piece.file())) == file.bytes()
        ? Optional.of(file)
        : Optional.empty();
  }

  private static WrittenFile written(String name, JsonNode entry) {
    return new WrittenFile(name, entry.path("bytes").asLong(), entry.path("sha256").asText());
  }

  private static String note(String file) {
    return NOTES + "/" + file + ".json";
  }

  private static ObjectNode entry(WrittenFile file) {
    return JSON.createObjectNode()
        .put("name", file.name())
        .put("bytes", file.bytes())
        .put("sha256", file.sha256());
  }
}
