package dev.anneal.data.arrow;

import dev.anneal.data.manifest.Split;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** A training split of small sequences, as the preparation writes it. */
final class WrittenDataset {
  private WrittenDataset() {}

  /** Writes files of so many sequences each; returns all sequences in their order. */
  static List<PreparedSequence> write(Path dir, int maxLength, int... sequencesPerFile)
      throws IOException {
    List<PreparedSequence> all = new ArrayList<>();
    List<String> files = new ArrayList<>();
    for (int file = 0; file < sequencesPerFile.length; file++) {
      Path path = dir.resolve(Split.TRAIN.fileName(file));
      try (OutputStream out = Files.newOutputStream(path);
          PreparedWriter writer = new PreparedWriter(out, maxLength)) {
        for (int i = 0; i < sequencesPerFile[file]; i++) {
          PreparedSequence sequence = sequence(all.size());
          all.add(sequence);
          writer.append(sequence);
        }
        writer.finish();
      }
      files.add(
          "{\"name\":\"%s\",\"sequences\":%s,\"bytes\":%s}"
              .formatted(path.getFileName(), sequencesPerFile[file], Files.size(path)));
    }
    Files.writeString(
        dir.resolve("dataset.json"),
        "{\"schema_version\":1,\"spec\":{},\"rows\":{},\"train\":{\"sequences\":%s,\"files\":[%s]},\"eval\":{\"files\":[]}}"
            .formatted(all.size(), String.join(",", files)));
    return all;
  }

  /** Where the footer of an Arrow file begins. */
  static long footerStart(Path file) {
    try {
      byte[] bytes = Files.readAllBytes(file);
      long tail = bytes.length - 10L;
      return tail - ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt((int) tail);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static PreparedSequence sequence(int number) {
    int[] ids = IntStream.range(0, 3 + number % 50).map(i -> number * 1000 + i).toArray();
    int[] lengths = {2, ids.length - 2};
    return new PreparedSequence(
        ids, lengths, number % 3 == 0 ? new int[0] : new int[] {1, 2}, List.of());
  }
}
