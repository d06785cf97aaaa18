package dev.anneal.spark.merge;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.Locations;
import dev.anneal.spark.merge.MergeRequest.Earlier;
import dev.anneal.spark.preflight.OutputPlaceCheck;
import dev.anneal.spark.progress.Sizes;
import dev.anneal.spark.storage.LocalPlace;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.host.HostMemory;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.merge.MergeInputs;
import dev.anneal.training.merge.MergePlan;
import dev.anneal.training.model.config.ModelFingerprint;
import dev.anneal.training.model.config.ModelSource;
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

  /** How a merge begins. */
  enum Start {
    NEW,
    /** With what an earlier one of the same has left. */
    GO_ON,
    /** It is there, and is only looked at again. */
    VERIFY,
    REPLACE
  }

  /**
   * What is to be done.
   *
   * @param model location of the base model
   * @param start what there is in the output folder, and what becomes of it
   */
  record Checked(
      String model,
      MergeInputs inputs,
      MergePlan plan,
      MergeRecord.Identity identity,
      RunFolder output,
      Start start) {}

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
    } catch (IllegalArgumentException e) {
      // Hadoop's, of a location that is none
      throw new BadRequestException(
          "--adapter, --model or --output is no path or URI (%s): correct it."
              .formatted(e.getMessage()),
          e);
    } catch (InvalidModelException e) {
      throw new BadRequestException(e.getMessage(), e);
    }
  }

  private Checked check() {
    ModelFolder adapter = new StorageModelFolder(request.adapter(), storage);
    String model = request.model() == null ? namedBy(adapter) : request.model();
    for (String input : List.of(model, request.adapter())) {
      if (isSame(input, request.output())) {
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
              plan.fingerprint());
    } catch (IOException e) {
      throw new BadRequestException(
          "The model in %s or the adapter in %s cannot be read (%s): check both."
              .formatted(
                  RunFolder.display(model), RunFolder.display(request.adapter()), e.getMessage()),
          e);
    }
    return new Checked(model, inputs, plan, identity, output, start(identity));
  }

  private boolean isSame(String input, String result) {
    try {
      return storage.qualify(input).equals(storage.qualify(result))
          || (RunFolder.isLocal(input)
              && RunFolder.isLocal(result)
              && real(input).equals(real(result)));
    } catch (IOException e) {
      // what is wrong with it is told by whoever reads it
      return false;
    }
  }

  private static Path real(String location) throws IOException {
    return LocalPlace.real(Path.of(RunFolder.display(location)));
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
      if (name.startsWith(ModelLocation.RANDOM)) {
        throw new BadRequestException(
            "The adapter in %s was trained on %s, weights that nobody has: name a base model with --model."
                .formatted(adapter.location(), name));
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

  private Start start(MergeRecord.Identity identity) {
    try {
      Optional<MergeRecord> found = MergeRecord.find(output);
      if (found.isEmpty()) {
        if (!storage.list(output.child("")).isEmpty()) {
          throw new BadRequestException(
              "--output %s holds files that no %s tells of: choose an empty folder."
                  .formatted(output.display(), MergeRecord.FILE));
        }
        return Start.NEW;
      }
      MergeRecord there = found.get();
      boolean same = there.identity().makesTheSameAs(identity);
      if (same && !there.isDone() && request.earlier() != Earlier.REPLACE) {
        return Start.GO_ON;
      }
      if (request.earlier() != Earlier.KEEP) {
        return Start.REPLACE;
      }
      if (same && request.verify()) {
        return Start.VERIFY;
      }
      throw new BadRequestException(
          "--output %s already holds %s of %s and %s: choose another folder, or add --overwrite to replace it."
              .formatted(
                  output.display(),
                  there.isDone() ? "a merged model" : "a part of a merged model",
                  there.identity().model(),
                  there.identity().adapter()));
    } catch (IOException e) {
      throw new BadRequestException(
          "--output %s cannot be read (%s): choose a folder that this user can reach."
              .formatted(output.display(), e.getMessage()),
          e);
    }
  }

  /** Removes what the merge that a record is of has made, and nothing else. */
  static void clear(RunFolder output) throws IOException {
    Optional<MergeRecord> record = MergeRecord.find(output);
    for (String name : record.map(MergeRecord::names).orElse(List.of())) {
      output.delete(name);
    }
    output.delete(MergeRecord.NOTES);
    removeParts(output);
    // last, so that the folder stays known as ours until then
    output.delete(MergeRecord.FILE);
  }

  /** Removes what killed tasks have left of files. */
  static void removeParts(RunFolder output) throws IOException {
    var folder = new org.apache.hadoop.fs.Path(output.child(""));
    var fs = folder.getFileSystem(output.storage().configuration());
    for (var file : fs.listStatus(folder)) {
      String name = file.getPath().getName();
      if (name.startsWith(".model") && name.contains(".safetensors.")) {
        output.delete(name);
      }
    }
  }

  /** What a local disk lacks of the room that the merged model takes, in a sentence. */
  static Optional<String> lackOfRoom(Checked checked) {
    RunFolder output = checked.output();
    if (!output.isLocal()) {
      return Optional.empty();
    }
    Path place = LocalPlace.there(Path.of(output.display()));
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

  /** Bytes of this machine, or of the container, that are free or can be had. */
  static long freeMemory() {
    long free = HostMemory.here().freeBytes();
    return free < Long.MAX_VALUE
        ? free
        // the JVM knows less of it
        : ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getFreeMemorySize();
  }
}
