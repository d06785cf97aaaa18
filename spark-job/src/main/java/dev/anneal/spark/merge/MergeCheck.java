package dev.anneal.spark.merge;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Request;
import dev.anneal.spark.config.Locations;
import dev.anneal.spark.preflight.OutputPlaceCheck;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.merge.MergeInputs;
import dev.anneal.training.merge.MergePlan;
import dev.anneal.training.model.ModelFingerprint;
import dev.anneal.training.model.ModelSource;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;

/** Finds out, before any cluster time is spent, whether a merge can be done, and how. */
final class MergeCheck {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final MergeRequest request;
  private final Storage storage;
  private final RunFolder output;

  private MergeCheck(MergeRequest request, Configuration hadoop) {
    this.request = request;
    this.storage = new Storage(hadoop);
    this.output = new RunFolder(request.output(), hadoop);
  }

  /**
   * What is to be done.
   *
   * @param model location of the base model
   * @param replaces whether something of ours is removed from the output folder first
   */
  record Checked(
      String model,
      MergeInputs inputs,
      MergePlan plan,
      MergeRecord.Identity identity,
      RunFolder output,
      boolean replaces) {

    /** The folder of the result. */
    ModelFolder merged() {
      return new StorageModelFolder(output.child(""), output.storage());
    }
  }

  /**
   * Checks a request.
   *
   * @throws BadRequestException if it cannot be carried out as it is
   */
  static Checked check(MergeRequest request, SparkConf spark, Configuration hadoop) {
    MergeCheck check = new MergeCheck(request, hadoop);
    OutputPlaceCheck.check("--output", check.output, spark);
    try {
      return check.check();
    } catch (InvalidModelException e) {
      throw new BadRequestException(e.getMessage(), e);
    }
  }

  private Checked check() {
    ModelFolder adapter = new StorageModelFolder(request.adapter(), storage);
    String model = request.model() == null ? namedBy(adapter) : request.model();
    for (String input : List.of(model, request.adapter())) {
      if (RunFolder.display(input).equals(output.display())) {
        throw new BadRequestException(
            "--output is %s, which is what is merged: choose another folder."
                .formatted(output.display()));
      }
    }
    ModelFolder base = new StorageModelFolder(model, storage);
    MergeInputs inputs;
    MergePlan plan;
    MergeRecord.Identity identity;
    try {
      inputs = MergeInputs.check(base, adapter);
      plan = MergePlan.of(inputs, request.dtype(), request.maxShardBytes());
      String fingerprint = ModelFingerprint.of(new ModelSource.Folder(base), inputs.config());
      requireTrainedOn(fingerprint, model);
      identity =
          new MergeRecord.Identity(
              RunFolder.display(model),
              fingerprint,
              RunFolder.display(request.adapter()),
              ModelFingerprint.ofAdapter(adapter),
              request.dtype(),
              request.maxShardBytes());
    } catch (IOException e) {
      throw new BadRequestException(
          "The model in %s or the adapter in %s cannot be read (%s): check both."
              .formatted(
                  RunFolder.display(model), RunFolder.display(request.adapter()), e.getMessage()),
          e);
    }
    boolean replaces = isToBeCleared(identity);
    return new Checked(model, inputs, plan, identity, output, replaces);
  }

  /** The base model that an adapter names. */
  private String namedBy(ModelFolder adapter) {
    try {
      String name = adapter.has(PeftConfig.FILE) ? PeftConfig.read(adapter).baseModel() : "";
      if (name == null) {
        throw new BadRequestException(
            "The adapter in %s names no base model: name it with --model."
                .formatted(adapter.location()));
      }
      String model = Locations.resolve(name, Path.of(""));
      if (!name.isEmpty() && !storage.exists(model)) {
        throw new BadRequestException(
            "The adapter in %s was trained on '%s', which is no folder here: name its base model with --model."
                .formatted(adapter.location(), name));
      }
      return model;
    } catch (IOException e) {
      throw new BadRequestException(Storage.cannotRead(adapter.location(), e), e);
    }
  }

  /** An adapter of a run lies beside its record, which knows the model. */
  private void requireTrainedOn(String fingerprint, String model) throws IOException {
    String folder = request.adapter().replaceFirst("/+$", "");
    String record = folder.substring(0, folder.lastIndexOf('/') + 1) + RunFolder.RECORD;
    if (!storage.exists(record)) {
      return;
    }
    JsonNode run;
    try (var in = storage.open(record)) {
      run = JSON.readTree(in.readAllBytes());
    } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
      // somebody else's, or damaged: it tells nothing
      return;
    }
    String trainedOn = run.path("model_fingerprint").asText("");
    if (!trainedOn.isEmpty() && !trainedOn.equals(fingerprint)) {
      throw new BadRequestException(
          "The adapter in %s was trained on another model than %s, as %s tells: name that one with --model."
              .formatted(
                  RunFolder.display(request.adapter()),
                  RunFolder.display(model),
                  RunFolder.display(record)));
    }
  }

  /** Whether there is a merged model, or a part of one, that is not this one's. */
  private boolean isToBeCleared(MergeRecord.Identity identity) {
    try {
      Optional<MergeRecord> there = MergeRecord.find(output);
      if (there.isEmpty()) {
        if (!storage.list(output.child("")).isEmpty()) {
          throw new BadRequestException(
              "--output %s holds files that no %s tells of: choose an empty folder."
                  .formatted(output.display(), MergeRecord.FILE));
        }
        return false;
      }
      boolean goesOn = !there.get().isDone() && there.get().identity().makesTheSameAs(identity);
      if (!goesOn && request.existing() == Request.Existing.KEEP) {
        throw new BadRequestException(
            "--output %s already holds %s of %s and %s: choose another folder, or add --overwrite to replace it."
                .formatted(
                    output.display(),
                    there.get().isDone() ? "a merged model" : "a part of a merged model",
                    there.get().identity().model(),
                    there.get().identity().adapter()));
      }
      return !goesOn || request.existing() == Request.Existing.REPLACE;
    } catch (IOException e) {
      throw new BadRequestException(
          "--output %s cannot be read (%s): choose a folder that this user can reach."
              .formatted(output.display(), e.getMessage()),
          e);
    }
  }

  /** Removes what a merge has made. */
  static void clear(RunFolder output) throws IOException {
    for (FileInfo file : output.storage().list(output.child(""))) {
      String name = file.uri().substring(file.uri().lastIndexOf('/') + 1);
      if (!name.equals(MergeRecord.FILE)) {
        output.delete(name);
      }
    }
    output.delete(MergeRecord.NOTES);
    output.delete(SideFiles.TEMPLATES);
    // last, so that the folder stays known as ours until it is empty
    output.delete(MergeRecord.FILE);
  }

  /** What a local disk lacks of the room that the merged model takes, in a sentence. */
  static Optional<String> lackOfRoom(Checked checked) {
    RunFolder output = checked.output();
    if (!output.isLocal()) {
      return Optional.empty();
    }
    Path place = Path.of(output.display()).toAbsolutePath();
    while (!Files.exists(place)) {
      place = place.getParent();
    }
    long bytes = checked.plan().bytes();
    try {
      long room = Files.getFileStore(place).getUsableSpace();
      for (FileInfo file : output.storage().list(output.child(""))) {
        room += file.bytes();
      }
      return room >= bytes
          ? Optional.empty()
          : Optional.of(
              "The merged model takes %s, and there is room for %s at --output %s: free space there, or choose another place."
                  .formatted(Sizes.of(bytes), Sizes.of(room), output.display()));
    } catch (IOException e) {
      throw new BadRequestException(
          "--output %s cannot be read (%s): choose a folder that this user can reach."
              .formatted(output.display(), e.getMessage()),
          e);
    }
  }

  /** Bytes of this machine that nobody uses. */
  static long freeMemory() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getFreeMemorySize();
  }
}
