package dev.anneal.data.prep;

import dev.anneal.data.arrow.PreparedSequence;
import dev.anneal.data.arrow.PreparedWriter;
import dev.anneal.data.format.TokenizedRow;
import dev.anneal.data.manifest.DatasetManifest.Part;
import dev.anneal.data.manifest.DatasetManifest.PartFile;
import dev.anneal.storage.Sha256;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/** Writes the rows of one file, packed or one a sequence, and counts them. */
final class SplitWriter {
  // Rows that are packed among one another; the last sequence of a window may stay part empty.
  private static final int PACKING_WINDOW = 8192;

  private final int maxLength;
  private final Packing packing;
  private final List<TokenizedRow> window = new ArrayList<>();
  private long sequences;
  private long rows;
  private long tokens;
  private long targetTokens;
  private int largestTokenId = -1;

  SplitWriter(int maxLength, Packing packing) {
    this.maxLength = maxLength;
    this.packing = packing;
  }

  /** Whether rows share sequences. */
  enum Packing {
    ON,
    OFF
  }

  /** A file that was written, with the numbers of what it holds. */
  record Written(PartFile file, long rows, long tokens, long targetTokens, int largestTokenId)
      implements Serializable {

    /** What the files of a split hold together. */
    static Part together(List<Written> files, int maxLength) {
      long sequences = files.stream().mapToLong(w -> w.file().sequences()).sum();
      long tokens = files.stream().mapToLong(Written::tokens).sum();
      return new Part(
          sequences,
          files.stream().mapToLong(Written::rows).sum(),
          tokens,
          files.stream().mapToLong(Written::targetTokens).sum(),
          files.stream().mapToInt(Written::largestTokenId).max().orElse(-1),
          sequences == 0 ? 0 : (double) tokens / (sequences * maxLength),
          files.stream().map(Written::file).toList());
    }
  }

  Written write(String folder, String name, Iterator<TokenizedRow> source, Storage storage)
      throws IOException {
    String location = folder + "/" + name;
    Sha256 sha256 = new Sha256();
    storage.write(location, out -> writeTo(sha256.counting(out), source));
    PartFile file = new PartFile(name, sequences, storage.size(location), sha256.hex());
    return new Written(file, rows, tokens, targetTokens, largestTokenId);
  }

  private void writeTo(OutputStream out, Iterator<TokenizedRow> source) throws IOException {
    try (PreparedWriter writer = new PreparedWriter(out, maxLength)) {
      while (source.hasNext()) {
        window.add(source.next());
        if (window.size() == PACKING_WINDOW) {
          flush(writer);
        }
      }
      flush(writer);
      writer.finish();
    }
  }

  private void flush(PreparedWriter writer) throws IOException {
    List<List<TokenizedRow>> packed =
        packing == Packing.ON
            ? Packer.pack(window, maxLength)
            : window.stream().map(List::of).toList();
    for (List<TokenizedRow> sequence : packed) {
      writer.append(PreparedSequence.of(sequence));
      sequences++;
      for (TokenizedRow row : sequence) {
        rows++;
        tokens += row.length();
        targetTokens += row.targetTokens();
        largestTokenId = Math.max(largestTokenId, row.largestId());
      }
    }
    window.clear();
  }
}
