package dev.anneal.spark.merge;

import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.storage.Storage;
import dev.anneal.training.io.Sha256;
import dev.anneal.training.io.WrittenFile;
import dev.anneal.training.merge.MergeInputs;
import dev.anneal.training.merge.MergePiece;
import dev.anneal.training.merge.MergedTensors;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Serializable;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.HexFormat;

/** What one task does: it writes a file of the merged model, or reads one again. */
final class MergeTask implements Serializable {
  private static final long serialVersionUID = 1L;

  private final String model;
  private final String adapter;
  private final RunFolder output;

  MergeTask(String model, String adapter, RunFolder output) {
    this.model = model;
    this.adapter = adapter;
    this.output = output;
  }

  MergeInputs inputs() throws IOException {
    Storage storage = output.storage();
    return MergeInputs.checked(
        new StorageModelFolder(model, storage), new StorageModelFolder(adapter, storage));
  }

  /** Writes the file, which appears under its name when it is whole, and notes that. */
  WrittenFile write(MergePiece piece) throws IOException {
    MessageDigest digest = Sha256.digest();
    try (MergedTensors tensors = MergedTensors.open(inputs())) {
      output.write(
          piece.file(),
          out -> {
            OutputStream digesting = new DigestOutputStream(out, digest);
            tensors.write(piece, digesting);
          });
    }
    WrittenFile written =
        new WrittenFile(
            piece.file(),
            output.storage().size(output.child(piece.file())),
            HexFormat.of().formatHex(digest.digest()));
    MergeRecord.note(output, written);
    return written;
  }
}
