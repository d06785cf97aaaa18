package dev.anneal.spark.storage;

import dev.anneal.storage.Storage;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;

/** What {@code model.path} means. */
public sealed interface ModelLocation extends Serializable {
  /** What a path begins with that names a shape and no weights. */
  String RANDOM = "random:";

  /** What a path begins with that names a model of the hub. */
  String HUB = "hub:";

  /** Whether a run has to fetch it first. */
  static boolean isHub(String path) {
    return path.startsWith(HUB);
  }

  /** What to call it in a message. */
  String display();

  /** The model itself; {@code seed} draws weights that are random. */
  ModelSource open(Storage storage, long seed) throws IOException;

  /** Reads {@code model.path}. */
  static ModelLocation of(String path) {
    if (isHub(path)) {
      return new Hub(path);
    }
    if (!path.startsWith(RANDOM)) {
      return new Folder(path);
    }
    String shape = path.substring(RANDOM.length());
    return shape.contains("/") ? new RandomFile(shape) : new RandomShape(shape);
  }

  /** A Hugging Face model folder. */
  record Folder(String location) implements ModelLocation {
    @Override
    public String display() {
      return RunFolder.display(location);
    }

    @Override
    public ModelSource open(Storage storage, long seed) {
      return new ModelSource.Folder(new StorageModelFolder(location, storage));
    }
  }

  /** A model of the hub, in whose place a run has the folder that it was fetched to. */
  record Hub(String display) implements ModelLocation {
    @Override
    public ModelSource open(Storage storage, long seed) throws IOException {
      throw new IOException("it is fetched when a run begins");
    }
  }

  /** Random weights in the shape of a {@code config.json}. */
  record RandomFile(String location) implements ModelLocation {
    @Override
    public String display() {
      return RANDOM + RunFolder.display(location);
    }

    @Override
    public ModelSource open(Storage storage, long seed) throws IOException {
      try (InputStream in = storage.open(location)) {
        String json = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        return new ModelSource.Random(LlamaConfig.parse(json, RunFolder.display(location)), seed);
      } catch (FileNotFoundException e) {
        throw new FileNotFoundException("there is no file " + RunFolder.display(location));
      }
    }
  }

  /** Random weights in a shape that has a name. */
  record RandomShape(String name) implements ModelLocation {
    @Override
    public String display() {
      return RANDOM + name;
    }

    @Override
    public ModelSource open(Storage storage, long seed) {
      return new ModelSource.Random(LlamaConfig.named(name), seed);
    }
  }
}
