package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubClient;
import dev.anneal.data.hub.HubEnvironment;
import dev.anneal.data.hub.HubRepository;
import dev.anneal.data.hub.HubSelection;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Request;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.session.RunSession;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * {@code hub:ORG/NAME[@REVISION]} as the model of a run: fetched into a cache with a folder a
 * commit, where later runs find it. Where the cache is local, one process at a time fetches a
 * commit and others wait for it; on an object store two may bring the same bytes to the same names.
 */
public final class HubModel {
  /** Hadoop configuration: where models of the hub are kept. */
  static final String CACHE_KEY = "anneal.hub.models";

  private static final Pattern NAME = Pattern.compile("hub:([^@]+?)(?:@([^/@]+))?");
  private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

  /** What a run reads, and no weights in other formats. */
  private static final HubSelection RUN =
      new HubSelection(
          List.of("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt"),
          List.of("original/*", "onnx/*", "metal/*", "gguf/*", "consolidated*"));

  private static final HubSelection PREPARATION =
      new HubSelection(RUN.include().subList(1, RUN.include().size()), RUN.exclude());

  private final HubRepository repository;
  private final String revision;
  private final FetchTarget cache;
  private final HubEnvironment hub;

  HubModel(HubRepository repository, String revision, FetchTarget cache, HubEnvironment hub) {
    this.repository = repository;
    this.revision = revision;
    this.cache = cache;
    this.hub = hub;
  }

  /**
   * The request with the folder of its model, which is fetched if it is on the hub and not there
   * yet.
   *
   * @param out told how that goes on
   * @throws BadRequestException if it cannot be fetched as it is
   * @throws JobFailedException if that fails on the way
   */
  public static Request located(Request request, RunSession session, PrintWriter out) {
    String path = request.config().model().path();
    if (path == null || !ModelLocation.isHub(path)) {
      return request;
    }
    HubModel model = of(path, session);
    FetchProgress progress = new FetchProgress(out, request.medium(), System::nanoTime);
    HubSelection wanted = request.command().trains() ? RUN : PREPARATION;
    try {
      return request.withModelPath(
          model.fetch(session, wanted, FetchSettings.USUAL, progress).location());
    } catch (IOException e) {
      throw new JobFailedException(
          "model.path %s could not be fetched (%s): run again, and it goes on from there."
              .formatted(path, e.getMessage()),
          e);
    }
  }

  private static HubModel of(String path, RunSession session) {
    Matcher name = NAME.matcher(path);
    if (!name.matches() || name.group(1).startsWith("datasets/")) {
      throw new BadRequestException(
          "model.path %s is not a model of the hub: write hub:ORG/NAME, and behind it @REVISION if needed."
              .formatted(path));
    }
    String revision = name.group(2) == null ? "main" : name.group(2).replaceAll("(?i)%2f", "/");
    return new HubModel(
        new HubRepository(HubRepository.Type.MODEL, name.group(1)),
        revision,
        cache(path, session),
        HubEnvironment.ofProcess(session.hadoop()));
  }

  private static FetchTarget cache(String path, RunSession session) {
    String named = session.hadoop().get(CACHE_KEY);
    String home = Path.of(System.getProperty("user.home"), ".cache/anneal/models").toString();
    if (named == null && !Slots.isOneMachine(session.conf())) {
      throw new BadRequestException(
          "model.path %s has to lie where every node reaches it: name a place for it in spark.hadoop.%s, as s3a:, hdfs: or a mounted share."
              .formatted(path, CACHE_KEY));
    }
    return FetchTarget.of(named == null ? home : named, new Storage(session.hadoop()));
  }

  /** Brings what is wanted of the model into the cache, if it is not there. */
  FetchTarget fetch(
      RunSession session, HubSelection wanted, FetchSettings settings, FetchProgress progress)
      throws IOException {
    String commit = commit(settings);
    String name = repository.name().replace("/", "--");
    FetchTarget folder = cache.below(name + "/" + commit);
    FetchRequest request =
        new FetchRequest(
            repository,
            commit,
            folder.location(),
            wanted,
            Request.Existing.KEEP,
            FetchRequest.CONNECTIONS);
    Fetch fetch = new Fetch(request, hub, settings, progress);
    if (!folder.isLocal()) {
      fetch.to(cache.storage(), session);
      return folder;
    }
    if (fetch.found(cache.storage()).isPresent()) {
      return folder;
    }
    Fetch.requireLasting("spark.hadoop." + CACHE_KEY, folder, session);
    Path lock = Path.of(folder.display() + ".lock");
    try (WaitingLock held = WaitingLock.take(lock, () -> progress.line(waiting(folder)))) {
      fetch.to(cache.storage(), session);
      return folder;
    }
  }

  private static String waiting(FetchTarget folder) {
    return "Waiting for another run that fetches %s ...".formatted(folder.display());
  }

  /** What the revision stands for; offline, what it stood for at the last time. */
  private String commit(FetchSettings settings) throws IOException {
    if (COMMIT.matcher(revision).matches()) {
      return revision;
    }
    String ref =
        cache.child(
            "%s/refs/%s"
                .formatted(
                    repository.name().replace("/", "--"),
                    URLEncoder.encode(revision, StandardCharsets.UTF_8)));
    if (hub.offline()) {
      return known(ref);
    }
    String commit = new HubClient(hub, settings.patience()).commit(repository, revision);
    remember(ref, commit);
    return commit;
  }

  private void remember(String ref, String commit) {
    try {
      cache.storage().write(ref, out -> out.write(commit.getBytes(StandardCharsets.UTF_8)));
    } catch (IOException cannotBeWritten) {
      // it is of use offline alone, and a cache may be there to be read only
      return;
    }
  }

  private String known(String ref) throws IOException {
    if (!cache.storage().exists(ref)) {
      throw new BadRequestException(
          "HF_HUB_OFFLINE is set, and %s has no commit of the %s for '%s': unset it."
              .formatted(RunFolder.display(cache.location()), repository.display(), revision));
    }
    try (InputStream in = cache.storage().open(ref)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}
