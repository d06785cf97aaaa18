package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubDigest;
import dev.anneal.data.hub.HubFile;
import dev.anneal.data.task.ObjectBytes;
import dev.anneal.data.task.TaskFailure;
import dev.anneal.data.task.TaskResults;
import dev.anneal.spark.job.RootCause;
import dev.anneal.storage.MultipartUpload;
import dev.anneal.training.io.Concurrently;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
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

  /** What S3 calls an upload that it has given up, and parts that are not those of the upload. */
  private static final List<String> GONE = List.of("NoSuchUpload", "InvalidPart");

  /** How often uploads are begun anew that the store has given up. */
  private static final int MOST_ROUNDS = 3;

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
      small.forEach(file -> progress.expect(file.bytes()));
      upload(large, writer);
      verify(large);
      run(small.stream().<FetchWork>map(FetchWork.Copy::new).toList(), outcome -> {});
    }
    journal.remove();
  }

  /** Makes files of all parts; an upload that the store has given up is begun anew. */
  private void upload(List<HubFile> files, JournalWriter writer) throws IOException {
    List<HubFile> left = files;
    for (int round = 1; !left.isEmpty(); round++) {
      Concurrently.forEach(left, REQUESTS_AT_ONCE, this::begin);
      writer.writeNow();
      List<FetchWork> uploads = uploads(left);
      expect(uploads);
      Set<String> gone = ConcurrentHashMap.newKeySet();
      run(uploads, outcome -> take(outcome, gone));
      List<HubFile> whole = left.stream().filter(file -> !gone.contains(file.path())).toList();
      Concurrently.forEach(whole, REQUESTS_AT_ONCE, file -> complete(file, gone));
      gone.forEach(journal::forget);
      writer.writeNow();
      left = left.stream().filter(file -> gone.contains(file.path())).toList();
      if (round == MOST_ROUNDS && !left.isEmpty()) {
        throw new IOException(
            "the store has given up %s uploads of '%s'".formatted(round, left.get(0).path()));
      }
    }
  }

  private void take(FetchWork.Outcome outcome, Set<String> gone) {
    if (outcome.matches()) {
      journal.sent(outcome.path(), outcome.parts(), outcome.sha256());
    } else {
      gone.add(outcome.path());
    }
  }

  /** Whether the store says that it has given up an upload. */
  static boolean isGone(Exception failure) {
    return TaskFailure.causes(failure).stream()
        .map(cause -> cause.type() + ": " + cause.message())
        .anyMatch(text -> GONE.stream().anyMatch(text::contains));
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
    Optional<UploadJournal.Entry> begun = journal.of(file);
    if (begun.isPresent() && (!begun.get().isFile() || target.size(file) == file.bytes())) {
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

  private void expect(List<FetchWork> uploads) {
    for (FetchWork work : uploads) {
      if (work instanceof FetchWork.Upload upload) {
        progress.expect(
            upload.end(upload.first() + upload.parts() - 1) - upload.start(upload.first()));
      }
    }
  }

  private void complete(HubFile file, Set<String> gone) throws IOException {
    UploadJournal.Entry entry = journal.of(file).orElseThrow();
    if (!entry.isFile()) {
      try (MultipartUpload upload =
          MultipartUpload.of(target.storage(), target.child(file.path()))) {
        upload.complete(entry.upload(), entry.sent());
      } catch (IOException e) {
        // a driver that ended here may have completed it without writing so down
        if (!isGone(e)) {
          throw e;
        }
        if (target.size(file) != file.bytes()) {
          gone.add(file.path());
          return;
        }
      }
    }
    entry.becomesFile();
  }

  private void verify(List<HubFile> files) throws IOException {
    List<String> wrong = new ArrayList<>();
    run(
        files.stream().map(this::verification).toList(),
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

  private FetchWork verification(HubFile file) {
    return new FetchWork.Verify(journal.of(file).orElseThrow().known(file));
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
