package dev.anneal.spark.doctor;

import dev.anneal.data.source.SourceFiles;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.UUID;

/** Whether a process reaches the model, the rows and the output folder, and how fast. */
final class StorageChecks {
  private static final Duration LIMIT = Duration.ofSeconds(20);
  private static final int PROBE_BYTES = 16 << 20;

  private final Places places;
  private final Storage storage;

  private StorageChecks(Places places) {
    this.places = places;
    this.storage = places.storage();
  }

  /** Adds those of the driver, which puts the witness there. */
  static void addForDriver(Looks looks, Places places) {
    StorageChecks checks = new StorageChecks(places);
    checks.addInputs(looks);
    checks.addOutput(
        looks,
        () -> {
          places.storage().write(places.inOutput(places.witness()), out -> {});
        });
  }

  /** Adds those of an executor. */
  static void addForExecutor(Looks looks, Places places) {
    StorageChecks checks = new StorageChecks(places);
    checks.addInputs(looks);
    checks.addOutput(looks, checks::requireWitness);
  }

  /** Takes the witness away again. */
  static void removeWitness(Places places) throws IOException {
    if (places.config().output().path() != null) {
      places.storage().delete(places.inOutput(places.witness()));
    }
  }

  private interface Step {
    void run() throws IOException;
  }

  private void addInputs(Looks looks) {
    String model = places.config().model().path();
    looks.require(
        "model.path",
        LIMIT,
        () -> model == null ? "not set" : model(ModelLocation.of(model)),
        cause -> "model.path %s: %s".formatted(ModelLocation.of(model).display(), cause));
    String source = places.config().data().rows().source();
    looks.require("data.source", LIMIT, () -> source(source), cause -> "data.source: " + cause);
    String eval = places.config().data().evalRows().evalSource();
    if (eval != null) {
      looks.require(
          "data.eval_source", LIMIT, () -> source(eval), cause -> "data.eval_source: " + cause);
    }
  }

  private String model(ModelLocation location) throws IOException {
    if (location instanceof ModelLocation.Folder folder) {
      return readable(folder.location() + "/config.json");
    }
    if (location instanceof ModelLocation.Hub) {
      return "on the hub";
    }
    return location instanceof ModelLocation.RandomFile file ? readable(file.location()) : "random";
  }

  private String readable(String location) throws IOException {
    try (InputStream in = storage.open(location)) {
      in.readNBytes(1);
      return "readable";
    } catch (IOException | RuntimeException e) {
      throw new IOException(Storage.cannotRead(RunFolder.display(location), e), e);
    }
  }

  private String source(String source) throws IOException {
    if (source == null) {
      return "not set";
    }
    if (!SourceFiles.areInPlace(source)) {
      return source.startsWith(SourceFiles.TABLE_SCHEME) ? "a table" : "on the hub";
    }
    List<Storage.FileInfo> files = storage.list(source);
    if (files.isEmpty()) {
      throw new FileNotFoundException(
          "'%s' matches no file: check the path or the glob.".formatted(RunFolder.display(source)));
    }
    readable(files.get(0).uri());
    return files.size() == 1 ? "readable" : files.size() + " files";
  }

  private void addOutput(Looks looks, Step witness) {
    String output = places.config().output().path();
    if (output == null) {
      looks.put("output.path", Finding.of("not set"));
      return;
    }
    looks.require(
        "output.path",
        LIMIT,
        () -> {
          String speed = writeAndRead(places.inOutput(".anneal-doctor-" + UUID.randomUUID()));
          witness.run();
          return speed;
        },
        cause ->
            cause.endsWith(".")
                ? cause
                : "output.path %s cannot be written and read (%s): choose a folder that this user can write to from every node."
                    .formatted(RunFolder.display(output), cause));
  }

  private String writeAndRead(String probe) throws IOException {
    byte[] content = new byte[PROBE_BYTES];
    new Random(PROBE_BYTES).nextBytes(content);
    try {
      long start = System.nanoTime();
      storage.write(probe, out -> out.write(content));
      long written = System.nanoTime();
      byte[] read;
      try (InputStream in = storage.open(probe)) {
        read = in.readAllBytes();
      }
      long end = System.nanoTime();
      if (!Arrays.equals(content, read)) {
        throw new IOException("what was read back is not what was written");
      }
      return "w %s, r %s"
          .formatted(
              Bytes.speed(PROBE_BYTES, written - start), Bytes.speed(PROBE_BYTES, end - written));
    } finally {
      storage.delete(probe);
    }
  }

  private void requireWitness() throws IOException {
    if (!storage.exists(places.inOutput(places.witness()))) {
      throw new IOException(
          "output.path %s is not the driver's folder of that name: choose a folder that all nodes mount, or a URI that all of them reach."
              .formatted(RunFolder.display(places.config().output().path())));
    }
  }
}
