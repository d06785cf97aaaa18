package dev.anneal.spark.output;

import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.train.Attempt;
import dev.anneal.training.io.WrittenFile;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Puts the result of the attempt that finished in its place. Ranks write it into the attempt's own
 * folder, so that nobody of an earlier attempt can touch what is published.
 */
public final class ResultPublisher {
  private ResultPublisher() {}

  /**
   * Publishes the files as the folder {@code name} of the run.
   *
   * @param files as rank 0 wrote them
   * @throws IOException if one cannot be copied, or is not as it was written
   */
  public static void publish(RunFolder folder, String attempt, String name, List<WrittenFile> files)
      throws IOException {
    String staged = Attempt.resultFolder(attempt, name);
    if (!folder.moveFolder(staged, name)) {
      // weights last: without them nobody takes the folder for a result
      List<WrittenFile> order = new ArrayList<>(files);
      order.sort(Comparator.comparingLong(WrittenFile::bytes));
      for (WrittenFile file : order) {
        folder.copy(staged + "/" + file.name(), name + "/" + file.name(), file.sha256());
      }
    }
    folder.delete(RunFolder.ATTEMPTS);
  }
}
