package dev.anneal.spark.fetch;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.hub.HubClient;
import dev.anneal.data.hub.HubEnvironment;
import dev.anneal.data.hub.HubFile;
import dev.anneal.data.hub.HubRepository;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Request.Existing;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.preflight.OutputPlaceCheck;
import dev.anneal.spark.progress.ProgressDisplay.Medium;
import dev.anneal.spark.progress.Sizes;
import dev.anneal.spark.session.RunSession;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import dev.anneal.training.InvalidModelException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/** One request to the hub, from its checks to its result. */
public final class Fetch {
  /** S3 takes no smaller parts. */
  private static final long LEAST_PART_BYTES = 5L << 20;

  private final FetchRequest request;
  private final HubEnvironment hub;
  private final FetchSettings settings;
  private final HubClient client;
  private final FetchProgress progress;

  Fetch(FetchRequest request, HubEnvironment hub, FetchSettings settings, FetchProgress progress) {
    this.request = request;
    this.hub = hub;
    this.settings = settings;
    this.client = new HubClient(hub, settings.patience());
    this.progress = progress;
  }

  /**
   * Brings what is wanted to its folder.
   *
   * @param session begins only where the folder is on an object store
   * @param out told how it goes on, and what came of it
   * @throws BadRequestException if it cannot be done as it is, before anything is fetched
   * @throws JobFailedException if it fails on the way; another one goes on from there
   */
  public static FetchResult execute(
      FetchRequest request, RunSession session, PrintWriter out, Medium medium) {
    return refusing(
        () ->
            new Fetch(
                    request,
                    HubEnvironment.ofProcess(session.hadoop()),
                    FetchSettings.USUAL,
                    new FetchProgress(out, medium, System::nanoTime))
                .to(new Storage(session.hadoop()), session));
  }

  /**
   * What would be fetched, and the parameters of it, from the headers of the weight files alone.
   *
   * @throws BadRequestException if it cannot be fetched
   */
  public static String preview(FetchRequest request, Configuration hadoop) {
    return refusing(
        () ->
            new Fetch(request, HubEnvironment.ofProcess(hadoop), FetchSettings.USUAL, null)
                .preview());
  }

  /** A name of the hub's as the user has written it. */
  public static HubRepository repository(HubRepository.Type type, String name) {
    return refusing(() -> new HubRepository(type, name));
  }

  private interface Work<T> {
    T run() throws IOException;
  }

  private static <T> T refusing(Work<T> work) {
    try {
      return work.run();
    } catch (InvalidDataException | InvalidModelException e) {
      throw new BadRequestException(e.getMessage(), e);
    } catch (IOException e) {
      throw new JobFailedException(
          "The hub could not be asked (%s): try again.".formatted(e.getMessage()), e);
    }
  }

  String preview() throws IOException {
    requireOnline();
    FetchRecord asked = ask(client.commit(request.repository(), request.revision()));
    return new FetchPreview(client, asked, request.connections()).text();
  }

  FetchResult to(Storage storage, RunSession session) throws IOException {
    FetchTarget target = FetchTarget.of(request.output(), storage);
    Optional<FetchResult> there = thereWithoutAsking(target);
    if (there.isPresent()) {
      return there.get();
    }
    requireLasting("--output", target, session);
    requireOnline();
    FetchRecord asked = ask(commit(target));
    try {
      if (!target.isLocal()) {
        return toStore(asked, target, session);
      }
      return toFolder(asked, target, Path.of(target.display()));
    } catch (IOException e) {
      throw new JobFailedException(
          "The %s could not be fetched to %s (%s): run the same command again, and it goes on from there."
              .formatted(request.repository().display(), target.display(), reason(e)),
          e);
    }
  }

  /** Refuses a place that is lost with the driver. */
  static void requireLasting(String name, FetchTarget target, RunSession session) {
    if (session != null && target.isLocal()) {
      OutputPlaceCheck.check(
          name, new RunFolder(target.location(), target.storage().configuration()), session.conf());
    }
  }

  /** What is complete already and needs no hub. */
  Optional<FetchResult> found(Storage storage) throws IOException {
    return thereWithoutAsking(FetchTarget.of(request.output(), storage));
  }

  private static String reason(IOException e) {
    return e.getMessage() == null ? e.toString() : e.getMessage();
  }

  private void requireOnline() {
    if (hub.offline()) {
      throw new BadRequestException(
          "HF_HUB_OFFLINE is set, and the %s has to be asked for at %s: unset it."
              .formatted(request.repository().display(), hub.endpoint()));
    }
  }

  /** A commit that was named and is complete needs no hub; neither does anything offline. */
  private Optional<FetchResult> thereWithoutAsking(FetchTarget target) throws IOException {
    Optional<FetchRecord> found = target.record().filter(FetchRecord::isComplete);
    boolean decided =
        found.isPresent()
            && found.get().repository().equals(request.repository())
            && found.get().covers(request.selection())
            && (found.get().commit().equals(request.revision())
                || (hub.offline() && found.get().revision().equals(request.revision())));
    if (!decided) {
      return Optional.empty();
    }
    List<HubFile> wanted = request.selection().of(found.get().files());
    for (HubFile file : wanted) {
      if (target.size(file) != file.bytes()) {
        return Optional.empty();
      }
    }
    return Optional.of(done(found.get(), wanted, target));
  }

  /** An interrupted fetch goes on with the commit that it began with. */
  private String commit(FetchTarget target) throws IOException {
    Optional<FetchRecord> begun =
        target
            .record()
            .filter(record -> !record.isComplete())
            .filter(record -> record.repository().equals(request.repository()))
            .filter(record -> record.revision().equals(request.revision()));
    if (begun.isPresent() && request.existing() == Existing.KEEP) {
      return begun.get().commit();
    }
    return client.commit(request.repository(), request.revision());
  }

  private FetchRecord ask(String commit) throws IOException {
    List<HubFile> listed = client.files(request.repository(), commit);
    List<HubFile> others = listed.stream().filter(file -> !FetchTarget.isOwn(file.path())).toList();
    if (others.size() < listed.size() && progress != null) {
      progress.line(
          "Note: files of the %s under %s and %s are left out, which are names of Anneal's own."
              .formatted(request.repository().display(), FetchTarget.WORK, FetchRecord.NAME));
    }
    List<HubFile> wanted = request.selection().of(others);
    if (wanted.isEmpty()) {
      throw new BadRequestException(
          "The %s has no file that is wanted at %s: look at --include and --exclude."
              .formatted(request.repository().display(), request.revision()));
    }
    return new FetchRecord(
        request.repository(),
        hub.endpoint().toString(),
        request.revision(),
        commit,
        request.selection(),
        FetchRecord.State.FETCHING,
        wanted);
  }

  private FetchResult toFolder(FetchRecord asked, FetchTarget target, Path folder)
      throws IOException {
    try (WorkFolder work = WorkFolder.take(folder)) {
      FetchPlan plan = FetchPlan.of(asked, target, request.existing(), Map.of());
      if (!plan.isDone()) {
        announce(plan, target);
        new LocalFetch(client, asked, work, progress, settings.partBytes())
            .fetch(plan.missing(), request.connections(), () -> begin(plan, target));
        finish(plan, target);
        work.clear();
      }
      return done(plan.record(), plan.wanted(), target);
    }
  }

  private FetchResult toStore(FetchRecord asked, FetchTarget target, RunSession session)
      throws IOException {
    UploadJournal journal = UploadJournal.read(target);
    FetchPlan plan = FetchPlan.of(asked, target, request.existing(), journal.unverified());
    if (!plan.isDone()) {
      announce(plan, target);
      begin(plan, target);
      JavaSparkContext spark = JavaSparkContext.fromSparkContext(session.open().sparkContext());
      FetchTask task =
          new FetchTask(hub, fitting(session.conf()), request.repository(), asked.commit(), target);
      new StoreFetch(task, journal, spark, progress).fetch(plan.missing());
      finish(plan, target);
    }
    return done(plan.record(), plan.wanted(), target);
  }

  /** Where the driver is the executor, its memory has two parts for each of its tasks. */
  private FetchSettings fitting(SparkConf conf) {
    if (!Slots.isLocal(conf)) {
      return settings;
    }
    long share = Runtime.getRuntime().maxMemory() / 8 / Runtime.getRuntime().availableProcessors();
    return settings.withPartsOf(Math.max(LEAST_PART_BYTES, Math.min(settings.partBytes(), share)));
  }

  private void announce(FetchPlan plan, FetchTarget target) {
    progress.line(
        "Fetching the %s at %s to %s: %s of %s files, %s ..."
            .formatted(
                request.repository().display(),
                plan.record().commit(),
                target.display(),
                plan.missing().size(),
                plan.wanted().size(),
                Sizes.of(plan.missingBytes())));
  }

  /** A record tells of files that are right or not there, so others are removed before it. */
  private static void begin(FetchPlan plan, FetchTarget target) throws IOException {
    for (String path : plan.obsolete()) {
      target.storage().delete(target.child(path));
    }
    target.write(plan.record());
  }

  private static void finish(FetchPlan plan, FetchTarget target) throws IOException {
    target.write(plan.record().in(FetchRecord.State.COMPLETE));
  }

  private FetchResult done(FetchRecord record, List<HubFile> wanted, FetchTarget target) {
    long bytes = wanted.stream().mapToLong(HubFile::bytes).sum();
    progress.line(
        "%s holds the %s at %s: %s files, %s%s."
            .formatted(
                target.display(),
                record.repository().display(),
                record.commit(),
                wanted.size(),
                Sizes.of(bytes),
                progress.fetched() == 0 ? "" : "; fetched now: " + progress.summary()));
    return new FetchResult(
        target.display(), record.commit(), wanted.size(), bytes, progress.fetched());
  }
}
