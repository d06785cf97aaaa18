package dev.anneal.data;

import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.manifest.Split;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.storage.Storage;
import java.util.List;
import java.util.stream.LongStream;

/** Prepared rows as a person reads them. */
public final class RowSamples {
  private RowSamples() {}

  /**
   * The first rows of the training split as text, with what is learned between {@code ⟦} and {@code
   * ⟧}.
   */
  public static List<String> marked(
      String datasetUri, int rows, ChatTokenizer tokenizer, Storage storage) {
    try (PreparedDataset dataset = PreparedDataset.open(datasetUri, Split.TRAIN, storage)) {
      return LongStream.range(0, dataset.size())
          .boxed()
          .flatMap(index -> dataset.read(index).rows().stream())
          .limit(rows)
          .map(row -> LearnedText.of(row, tokenizer).marked())
          .toList();
    }
  }
}
