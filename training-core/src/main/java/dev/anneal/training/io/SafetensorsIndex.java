package dev.anneal.training.io;

import dev.anneal.training.InvalidModelException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The tensors of safetensors files by name, whether it is one file or several with an index ({@code
 * <file>.index.json}, whose {@code weight_map} gives the file of every tensor). Files open when a
 * tensor of theirs is first asked for. Several threads may read at a time.
 */
public final class SafetensorsIndex implements AutoCloseable {

  /** The file of a model's weights when they are in one. */
  public static final String MODEL_FILE = "model.safetensors";

  /** The file of a PEFT adapter's weights. */
  public static final String ADAPTER_FILE = "adapter_model.safetensors";

  /** Each takes a few round trips to an object store, and a large model has 200. */
  private static final int OPENED_AT_ONCE = 16;

  private final ModelFolder folder;
  private final String origin;
  private final Map<String, String> fileOfTensor;
  private final ChannelPool channels;
  private final Map<String, SafetensorsFile> openFiles = new ConcurrentHashMap<>();

  private SafetensorsIndex(
      ModelFolder folder, String origin, Map<String, String> fileOfTensor, ChannelPool channels) {
    this.folder = folder;
    this.origin = folder.locationOf(origin);
    this.fileOfTensor = Collections.unmodifiableMap(fileOfTensor);
    this.channels = channels;
  }

  /**
   * Finds the tensors of {@code singleFile}, or of the files of {@code singleFile.index.json} where
   * there is no such file.
   *
   * @throws InvalidModelException if neither is there, or one is unusable
   */
  public static SafetensorsIndex open(ModelFolder folder, String singleFile) throws IOException {
    if (folder.has(singleFile)) {
      return ofFile(folder, singleFile);
    }
    String indexFile = singleFile + ".index.json";
    if (!folder.has(indexFile)) {
      throw new InvalidModelException(
          "%s has neither %s nor %s; weights must be in safetensors format."
              .formatted(folder.location(), singleFile, indexFile));
    }
    Map<String, String> weightMap = weightMap(JsonObject.read(folder, indexFile));
    return new SafetensorsIndex(folder, indexFile, weightMap, new ChannelPool(folder));
  }

  private static SafetensorsIndex ofFile(ModelFolder folder, String file) throws IOException {
    ChannelPool channels = new ChannelPool(folder);
    SafetensorsFile open = SafetensorsFile.open(folder, file, channels);
    Map<String, String> fileOfTensor = new LinkedHashMap<>();
    for (String name : open.header().entries().keySet()) {
      fileOfTensor.put(name, file);
    }
    SafetensorsIndex index = new SafetensorsIndex(folder, file, fileOfTensor, channels);
    index.openFiles.put(file, open);
    return index;
  }

  private static Map<String, String> weightMap(JsonObject index) {
    JsonObject weightMap = index.object("weight_map");
    Map<String, String> fileOfTensor = new LinkedHashMap<>();
    for (String name : weightMap.keys()) {
      String file = weightMap.text(name);
      if (!isPlainName(file)) {
        throw weightMap.refuse(
            name,
            "names the file '%s', which is not a file of this folder.".formatted(Excerpt.of(file)));
      }
      fileOfTensor.put(name, file);
    }
    return fileOfTensor;
  }

  private static boolean isPlainName(String file) {
    return !file.isBlank()
        && !file.equals(".")
        && !file.equals("..")
        && file.chars().noneMatch(c -> c == '/' || c == '\\' || c == ':' || c < ' ');
  }

  /** The names of all tensors. */
  public Set<String> names() {
    return fileOfTensor.keySet();
  }

  /** Whether there is a tensor {@code name}. */
  public boolean has(String name) {
    return fileOfTensor.containsKey(name);
  }

  /**
   * Opens the files of these tensors, many at a time.
   *
   * @throws InvalidModelException if there is no such tensor, or its file is unusable
   */
  public void open(Collection<String> names) throws IOException {
    Map<String, String> oneOfEachFile = new LinkedHashMap<>();
    for (String name : names) {
      oneOfEachFile.putIfAbsent(fileOfTensor.get(name), name);
    }
    Concurrently.forEach(oneOfEachFile.values(), OPENED_AT_ONCE, this::file);
  }

  /**
   * Type, shape and place of tensor {@code name}.
   *
   * @throws InvalidModelException if there is none, or its file is unusable
   */
  public TensorEntry entry(String name) throws IOException {
    SafetensorsFile file = file(name);
    TensorEntry entry = file.header().entries().get(name);
    if (entry == null) {
      throw new InvalidModelException(
          "%s lacks tensor %s, although the index says that it is there."
              .formatted(file.where(), Excerpt.of(name)));
    }
    return entry;
  }

  /**
   * The tensor {@code name}, which must be a weight of this shape.
   *
   * @throws InvalidModelException if it is missing, of another shape, or not F32, F16 or BF16
   */
  public TensorEntry requireWeight(String name, long... shape) throws IOException {
    TensorEntry entry = entry(name);
    if (!Arrays.equals(entry.shape(), shape)) {
      throw new InvalidModelException(
          "%s: tensor %s has the shape %s, but the configuration beside it asks for %s."
              .formatted(
                  where(name),
                  Excerpt.of(name),
                  Arrays.toString(entry.shape()),
                  Arrays.toString(shape)));
    }
    if (!entry.dtype().isWeight()) {
      throw new InvalidModelException(
          "%s: tensor %s is %s, but weights must be F32, F16 or BF16."
              .formatted(where(name), Excerpt.of(name), entry.dtype()));
    }
    return entry;
  }

  /**
   * Fills what remains of {@code into} with the little-endian data of tensor {@code name}, from its
   * element {@code firstElement} on.
   *
   * @throws IndexOutOfBoundsException if that is more than the tensor has
   * @throws InvalidModelException if there is no such tensor, or its file is unusable
   */
  public void read(String name, long firstElement, ByteBuffer into) throws IOException {
    TensorEntry entry = entry(name);
    file(name).read(entry, firstElement, into);
  }

  /** What messages call the place of tensor {@code name}: its file, or where it should be named. */
  public String where(String name) {
    String file = fileOfTensor.get(name);
    return file == null ? origin : folder.locationOf(file);
  }

  private SafetensorsFile file(String name) throws IOException {
    String file = fileOfTensor.get(name);
    if (file == null) {
      throw new InvalidModelException(
          "%s lacks tensor %s; are these the weights of that model?".formatted(origin, name));
    }
    SafetensorsFile open = openFiles.get(file);
    if (open == null) {
      if (!folder.has(file)) {
        throw new InvalidModelException(
            "%s names %s for tensor %s, but %s has no such file; copy the missing file into it."
                .formatted(origin, Excerpt.of(file), Excerpt.of(name), folder.location()));
      }
      open = SafetensorsFile.open(folder, file, channels);
      // if two threads did, both have the same header, and the channels are everybody's
      openFiles.put(file, open);
    }
    return open;
  }

  /** Closes the files, once nobody reads them. */
  @Override
  public void close() throws IOException {
    channels.close();
  }
}
