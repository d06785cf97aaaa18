package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubDigest;
import dev.anneal.data.hub.HubFile;
import dev.anneal.data.task.ObjectBytes;
import dev.anneal.data.task.TaskResults;
import dev.anneal.spark.job.RootCause;
import dev.anneal.storage.MultipartUpload;
import dev.anneal.training.io.Concurrently;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * Fetches to an object store as Spark jobs. Large files go in parts, some of them a task; when all
 * parts of one are there it is completed and read again for its checksum. Small files, a model's
 * configuration among them, come last: a folder that is not complete is no model.
 */
final class StoreFetch {
  /** Parts of a task: what a lost executor costs for each of its cores. */
  private static final int PARTS_OF_A_TASK = 8;

  /** S3 knows no more. */
  private static final int MOST_PARTS = 10_000;

  private static final int REQUESTS_AT_ONCE = 16;
  private static final int JOURNAL_MILLIS = 5_000;
  private static final String NO_UPLOAD = "NoSuchUpload";

  private final FetchTask task;
  private final FetchTarget target;
  private final UploadJournal journal;
  private final JavaSparkContext spark;
  private final FetchProgress progress;

  StoreFetch(
      FetchTask task, UploadJournal journal, JavaSparkContext spark, FetchProgress progress) {
    this.task = task;
    this.target = task.target();
    this.journal = journal;
    this.spark = spark;
    this.progress = progress;
  }

  /** Fetches all of the files, what was begun from there on. */
  void fetch(List<HubFile> files) throws IOException {
    List<HubFile> large = new ArrayList<>();
    List<HubFile> small = new ArrayList<>();
    boolean inParts = MultipartUpload.isKnown(target.storage(), target.location());
    for (HubFile file : files) {
      (inParts && file.bytes() > task.settings().partBytes() ? large : small).add(file);
    }
    journal.keepOnly(large).forEach(this::abort);
    try (JournalWriter writer = new JournalWriter(journal, JOURNAL_MILLIS)) {
      Concurrently.forEach(large, REQUESTS_AT_ONCE, this::begin);
      writer.writeNow();
      List<FetchWork> uploads = uploads(large);
      expect(uploads, small);
      run(uploads, outcome -> journal.sent(outcome.path(), outcome.parts()));
      Concurrently.forEach(large, REQUESTS_AT_ONCE, this::complete);
      writer.writeNow();
      verify(large);
      run(small.stream().<FetchWork>map(FetchWork.Copy::new).toList(), outcome -> {});
    } catch (IOException e) {
      if (String.valueOf(e.getMessage()).contains(NO_UPLOAD)) {
        // the store has given them up, so the next fetch begins others
        journal.remove();
      }
      throw e;
    }
    journal.remove();
  }

  private void abort(String path, byte[] upload) {
    try (MultipartUpload old = MultipartUpload.of(target.storage(), target.child(path))) {
      old.abort(upload);
    } catch (IOException e) {
      progress.line(
          "Note: an earlier upload of %s could not be given up (%s)."
              .formatted(path, e.getMessage()));
    }
  }

  private void begin(HubFile file) throws IOException {
    if (journal.of(file).isPresent()) {
      return;
    }
    long usual = task.settings().partBytes();
    long mebibyte = 1 << 20;
    long least = (file.bytes() / MOST_PARTS / mebibyte + 1) * mebibyte;
    boolean fits = file.bytes() / usual < MOST_PARTS;
    try (MultipartUpload upload = MultipartUpload.of(target.storage(), target.child(file.path()))) {
      journal.begin(file, fits ? usual : least, upload.start());
    }
  }

  /** The parts that are missing, those of a file that follow one another together. */
  private List<FetchWork> uploads(List<HubFile> files) {
    List<FetchWork> uploads = new ArrayList<>();
    for (HubFile file : files) {
      UploadJournal.Entry entry = journal.of(file).orElseThrow();
      int parts = entry.parts(file);
      int first = 1;
      while (first <= parts && !entry.isFile()) {
        int end = first;
        while (end <= parts && end - first < PARTS_OF_A_TASK && !entry.sent().containsKey(end)) {
          end++;
        }
        if (end > first) {
          uploads.add(
              new FetchWork.Upload(file, entry.upload(), first, end - first, entry.partBytes()));
        }
        first = Math.max(end, first + 1);
      }
    }
    return uploads;
  }

  private void expect(List<FetchWork> uploads, List<HubFile> small) {
    for (FetchWork work : uploads) {
      if (work instanceof FetchWork.Upload upload) {
        progress.expect(
            upload.end(upload.first() + upload.parts() - 1) - upload.start(upload.first()));
      }
    }
    small.forEach(file -> progress.expect(file.bytes()));
  }

  private void complete(HubFile file) throws IOException {
    UploadJournal.Entry entry = journal.of(file).orElseThrow();
    // a driver that ended here may have completed it without writing so down
    if (!entry.isFile() && target.size(file) != file.bytes()) {
      try (MultipartUpload upload =
          MultipartUpload.of(target.storage(), target.child(file.path()))) {
        upload.complete(entry.upload(), entry.sent());
      }
    }
    entry.becomesFile();
  }

  private void verify(List<HubFile> files) throws IOException {
    List<String> wrong = new ArrayList<>();
    run(
        files.stream().<FetchWork>map(FetchWork.Verify::new).toList(),
        outcome -> {
          if (!outcome.matches()) {
            wrong.add(outcome.path());
          }
        });
    for (HubFile file : files) {
      if (wrong.contains(file.path())) {
        target.storage().delete(target.child(file.path()));
      }
      journal.forget(file.path());
    }
    for (HubFile file : files) {
      if (wrong.contains(file.path())) {
        throw HubDigest.mismatch(file);
      }
    }
  }

  private void run(List<FetchWork> work, Consumer<FetchWork.Outcome> taker) throws IOException {
    if (work.isEmpty()) {
      return;
    }
    FetchTask each = task;
    List<byte[]> elements = work.stream().map(ObjectBytes::of).toList();
    try {
      TaskResults.forEachPartition(
          spark
              .parallelize(elements, elements.size())
              .map(bytes -> each.run((FetchWork) ObjectBytes.read(bytes))),
          outcomes ->
              outcomes.forEach(
                  outcome -> {
                    taker.accept(outcome);
                    progress.add(outcome.fetchedBytes());
                  }));
    } catch (Exception e) {
      // Spark's are checked exceptions that no signature tells of
      throw new IOException(RootCause.sentence(e), e);
    }
  }
}
