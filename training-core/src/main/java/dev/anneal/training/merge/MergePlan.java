package dev.anneal.training.merge;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.ByteSize;
import dev.anneal.training.io.JsonObject;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.Sha256;
import dev.anneal.training.io.TensorEntry;
import dev.anneal.training.io.TensorSpec;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.TensorNames;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The files that a merged model consists of. Every tensor of the base model is in one of them, also
 * what no Llama reads, in the order in which the base model's files have them.
 *
 * @param parameters how many there are, without scales
 * @param dtype what weights are written as; {@code null} for each as it is in the base model
 */
public record MergePlan(List<MergePiece> pieces, long parameters, MergeDType dtype) {
  public MergePlan {
    pieces = List.copyOf(pieces);
  }

  private record Placed(String file, TensorEntry entry) {}

  /**
   * Plans from the headers of the base model's weights.
   *
   * @param dtype {@code null} for that of the base model, tensor by tensor
   * @param maxBytes that the tensors of a file may have together; one that alone has more gets a
   *     file of its own
   */
  public static MergePlan of(MergeInputs inputs, MergeDType dtype, long maxBytes)
      throws IOException {
    List<TensorSpec> tensors = new ArrayList<>();
    long parameters = 0;
    Set<String> linears = linears(inputs.config());
    Set<String> weights = new HashSet<>(TensorNames.shapes(inputs.config()).keySet());
    // also where the embedding is the head
    weights.add(TensorNames.LM_HEAD);
    try (SafetensorsIndex index =
        SafetensorsIndex.open(inputs.base(), SafetensorsIndex.MODEL_FILE)) {
      index.open(index.names());
      for (Placed placed : inOrder(index)) {
        TensorEntry entry = placed.entry();
        parameters += entry.elements();
        boolean linear = linears.contains(entry.name());
        // what no Llama reads stays as it is
        SafetensorsDType written =
            weights.contains(entry.name()) ? written(entry.dtype(), dtype, linear) : entry.dtype();
        tensors.add(new TensorSpec(entry.name(), written, entry.shape()));
        if (written == SafetensorsDType.F8_E4M3 && linear) {
          tensors.add(CompressedTensors.scale(entry));
        }
      }
    }
    return new MergePlan(pieces(tensors, maxBytes), parameters, dtype);
  }

  private static List<Placed> inOrder(SafetensorsIndex index) throws IOException {
    List<Placed> placed = new ArrayList<>();
    for (String name : index.names()) {
      placed.add(new Placed(index.where(name), index.entry(name)));
    }
    placed.sort(
        Comparator.comparing(Placed::file).thenComparingLong(tensor -> tensor.entry().begin()));
    return placed;
  }

  private static SafetensorsDType written(
      SafetensorsDType stored, MergeDType dtype, boolean linear) {
    if (dtype == null || !stored.isWeight()) {
      return stored;
    }
    return linear ? dtype.linear() : dtype.other();
  }

  private static Set<String> linears(LlamaConfig config) {
    Set<String> names = new HashSet<>();
    for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
      for (LinearModule module : LinearModule.values()) {
        names.add(module.weightName(layer));
      }
    }
    return names;
  }

  private static List<MergePiece> pieces(List<TensorSpec> tensors, long maxBytes) {
    List<List<TensorSpec>> files = new ArrayList<>();
    long bytes = 0;
    for (TensorSpec tensor : tensors) {
      // the scales of a weight are read with it
      boolean fits = bytes + tensor.byteSize() <= maxBytes || CompressedTensors.isScale(tensor);
      if (files.isEmpty() || !fits) {
        files.add(new ArrayList<>());
        bytes = 0;
      }
      files.get(files.size() - 1).add(tensor);
      bytes += tensor.byteSize();
    }
    List<MergePiece> pieces = new ArrayList<>();
    for (int i = 0; i < files.size(); i++) {
      String file =
          files.size() == 1
              ? SafetensorsIndex.MODEL_FILE
              : String.format(Locale.ROOT, "model-%05d-of-%05d.safetensors", i + 1, files.size());
      pieces.add(new MergePiece(file, files.get(i)));
    }
    return pieces;
  }

  /** Bytes of all tensors. */
  public long bytes() {
    return pieces.stream().mapToLong(MergePiece::bytes).sum();
  }

  /** SHA-256 in hexadecimal digits of what is in which file, the same for the same files alone. */
  public String fingerprint() {
    MessageDigest digest = Sha256.digest();
    for (MergePiece piece : pieces) {
      digest.update((piece.file() + "\n").getBytes(StandardCharsets.UTF_8));
      for (TensorSpec tensor : piece.tensors()) {
        String line =
            tensor.name() + " " + tensor.dtype() + " " + Arrays.toString(tensor.shape()) + "\n";
        digest.update(line.getBytes(StandardCharsets.UTF_8));
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** The type of weights that rounds most. */
  public MergeDType coarsest() {
    return pieces.stream()
        .flatMap(piece -> piece.tensors().stream())
        .filter(tensor -> !CompressedTensors.isScale(tensor))
        .map(TensorSpec::dtype)
        .filter(stored -> stored.isWeight() || stored == SafetensorsDType.F8_E4M3)
        .map(MergeDType::of)
        .max(Comparator.naturalOrder())
        .orElse(MergeDType.FP32);
  }

  /** The index that says which tensor is in which file; none where there is one file. */
  public Optional<String> index() {
    if (pieces.size() == 1) {
      return Optional.empty();
    }
    ObjectNode json = JsonObject.create();
    json.putObject("metadata").put("total_parameters", parameters).put("total_size", bytes());
    ObjectNode files = json.putObject("weight_map");
    for (MergePiece piece : pieces) {
      piece.tensors().forEach(tensor -> files.put(tensor.name(), piece.file()));
    }
    return Optional.of(JsonObject.print(json));
  }

  /**
   * What a user gives as the largest size of a file: {@code 5GB}, {@code 500MB}, {@code 2GiB}, or
   * bytes, as in Hugging Face's {@code max_shard_size}.
   *
   * @throws InvalidModelException if it is something else
   */
  public static long bytes(String size) {
    OptionalLong bytes = ByteSize.parse(size);
    if (bytes.isPresent()) {
      return bytes.getAsLong();
    }
    throw new InvalidModelException(
        "The size of a file is '%s', but must be a number of KB, MB, GB, KiB, MiB or GiB, such as 5GB."
            .formatted(size));
  }
}
