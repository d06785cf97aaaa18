package dev.anneal.spark.train;

import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.arrow.PreparedSequence;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.data.TokenSequence;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A prepared data set that remembers where the rows come from that were read of it. */
final class SourcedSequences implements SequenceSource {
  private final PreparedDataset dataset;
  private final SequenceSource sequences;
  private final Map<Long, List<String>> sources = new HashMap<>();

  /** One text for all rows that say the same. */
  private final Map<String, String> names = new HashMap<>();

  SourcedSequences(PreparedDataset dataset) {
    this.dataset = dataset;
    this.sequences = new PreparedSequenceSource(dataset);
  }

  @Override
  public long size() {
    return sequences.size();
  }

  @Override
  public TokenSequence read(long index) {
    PreparedSequence sequence = dataset.read(index);
    if (!sequence.rowSources().isEmpty()) {
      List<String> known = new ArrayList<>();
      sequence.rowSources().forEach(name -> known.add(names.computeIfAbsent(name, n -> n)));
      sources.put(index, known);
    }
    return PreparedSequenceSource.of(sequence);
  }

  /** Where the rows of a sequence come from that was read; none where they do not say it. */
  List<String> sourcesOf(long index) {
    return sources.getOrDefault(index, List.of());
  }

  @Override
  public String describe(long index) {
    return sequences.describe(index);
  }

  @Override
  public void expect(long... indices) {
    dataset.expect(indices);
  }

  @Override
  public void close() {
    dataset.close();
  }
}
