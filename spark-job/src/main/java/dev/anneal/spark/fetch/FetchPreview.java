package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubChannel;
import dev.anneal.data.hub.HubClient;
import dev.anneal.data.hub.HubFile;
import dev.anneal.spark.progress.Sizes;
import dev.anneal.training.io.Concurrently;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsHeader;
import dev.anneal.training.io.TensorEntry;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/** What would be fetched; of weight files only the headers are read. */
final class FetchPreview {
  private static final Pattern SAFETENSORS = Pattern.compile(".*\\.safetensors");

  /** Names that transformers gives; beside them a repository may have the same weights again. */
  private static final Pattern OF_TRANSFORMERS = Pattern.compile("model[^/]*\\.safetensors");

  private static final Pattern OTHER_WEIGHTS =
      Pattern.compile(".*\\.(safetensors|bin|pt|pth|ckpt|gguf|h5|msgpack|onnx|ot|npz)");

  private final HubClient client;
  private final FetchRecord asked;
  private final int connections;

  /** Tensors of one element type. */
  private record Sum(long tensors, long parameters, long bytes) {
    static final Sum NONE = new Sum(0, 0, 0);

    Sum plus(Sum other) {
      return new Sum(tensors + other.tensors, parameters + other.parameters, bytes + other.bytes);
    }
  }

  /**
   * @param asked the files that are wanted, with their commit
   */
  FetchPreview(HubClient client, FetchRecord asked, int connections) {
    this.client = client;
    this.asked = asked;
    this.connections = connections;
  }

  String text() throws IOException {
    StringBuilder text = new StringBuilder();
    text.append(
        "The %s at %s is commit %s of %s.\n"
            .formatted(
                asked.repository().display(), asked.revision(), asked.commit(), asked.endpoint()));
    List<HubFile> weights = weights();
    if (!weights.isEmpty()) {
      text.append(table(sums(weights)));
    }
    long others = bytes(otherWeights(weights));
    if (others > 0) {
      text.append(
          "Not counted above: %s in other weight files (%s and the like); --exclude leaves files out.\n"
              .formatted(Sizes.of(others), otherWeights(weights).get(0).path()));
    }
    text.append(
        "%s files, %s (%s bytes) to fetch\n"
            .formatted(
                asked.files().size(),
                Sizes.of(bytes(asked.files())),
                number(bytes(asked.files()))));
    return text.toString();
  }

  private static long bytes(List<HubFile> files) {
    return files.stream().mapToLong(HubFile::bytes).sum();
  }

  private List<HubFile> weights() {
    List<HubFile> usual = matching(OF_TRANSFORMERS);
    return usual.isEmpty() ? matching(SAFETENSORS) : usual;
  }

  private List<HubFile> otherWeights(List<HubFile> counted) {
    return matching(OTHER_WEIGHTS).stream().filter(file -> !counted.contains(file)).toList();
  }

  private List<HubFile> matching(Pattern pattern) {
    return asked.files().stream().filter(file -> pattern.matcher(file.path()).matches()).toList();
  }

  private Map<SafetensorsDType, Sum> sums(List<HubFile> weights) throws IOException {
    Map<SafetensorsDType, Sum> sums =
        Collections.synchronizedMap(new EnumMap<>(SafetensorsDType.class));
    Concurrently.forEach(
        weights,
        connections,
        file -> {
          for (TensorEntry tensor : header(file).entries().values()) {
            sums.merge(tensor.dtype(), new Sum(1, tensor.elements(), tensor.byteSize()), Sum::plus);
          }
        });
    return sums;
  }

  private SafetensorsHeader header(HubFile file) throws IOException {
    try (HubChannel channel =
        new HubChannel(client.reader(asked.repository(), asked.commit(), file), file)) {
      return SafetensorsHeader.read(channel, "'" + file.path() + "' of the hub");
    }
  }

  private static String table(Map<SafetensorsDType, Sum> sums) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(List.of("dtype", "tensors", "parameters", "bytes"));
    sums.forEach((dtype, sum) -> rows.add(row(dtype.name(), sum)));
    rows.add(row("total", sums.values().stream().reduce(Sum.NONE, Sum::plus)));
    StringBuilder text = new StringBuilder();
    for (List<String> row : rows) {
      text.append(
          String.format(
              Locale.ROOT, "%-8s %9s %19s %21s\n", row.get(0), row.get(1), row.get(2), row.get(3)));
    }
    return text.toString();
  }

  private static List<String> row(String name, Sum sum) {
    return List.of(name, number(sum.tensors()), number(sum.parameters()), number(sum.bytes()));
  }

  private static String number(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }
}
