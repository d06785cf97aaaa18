package dev.anneal.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Packed sequences from JSON lines of {@code input_ids}, {@code row_lengths}, {@code target_spans}.
 */
record PackedRows(List<TokenSequence> sequences) implements SequenceSource {
  static PackedRows read(Path file) throws IOException {
    ObjectMapper json = new ObjectMapper();
    List<TokenSequence> sequences = new ArrayList<>();
    try (BufferedReader lines = Files.newBufferedReader(file)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        JsonNode row = json.readTree(line);
        sequences.add(
            new TokenSequence(
                json.convertValue(row.get("input_ids"), int[].class),
                json.convertValue(row.get("row_lengths"), int[].class),
                json.convertValue(row.get("target_spans"), int[].class)));
      }
    }
    return new PackedRows(sequences);
  }

  double rowsPerToken() {
    double rows = sequences.stream().mapToLong(s -> s.rowLengths().length).sum();
    return rows / sequences.stream().mapToLong(s -> s.inputIds().length).sum();
  }

  @Override
  public long size() {
    return sequences.size();
  }

  @Override
  public TokenSequence read(long index) {
    return sequences.get(Math.toIntExact(index));
  }

  @Override
  public void close() {}
}
