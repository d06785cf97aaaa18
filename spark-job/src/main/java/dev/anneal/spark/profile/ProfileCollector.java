package dev.anneal.spark.profile;

import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StoreRefusal;
import dev.anneal.spark.train.Attempt;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;

/**
 * Makes the trace of an attempt out of its ranks' parts, in a thread of its own as soon as all are
 * there. Without it a run goes on, and says so, as it says what is missing in it.
 */
public final class ProfileCollector implements Consumer<RankEvent> {
  /** Above so many spans, some 7 MB, the trace is packed. */
  private static final int PLAIN_SPANS = 50_000;

  private static final String PLAIN = RunFolder.PROFILE + "/trace.json";
  private static final String PACKED = PLAIN + ".gz";

  private final RunFolder folder;
  private final String attempt;
  private final int worldSize;
  private final Consumer<String> say;
  private final SortedMap<Integer, RankEvent.Profiled> parts = new TreeMap<>();
  private final SortedSet<Integer> lost = new TreeSet<>();
  private Thread writer;
  private volatile boolean givenUp;

  /**
   * @param say told where the trace is, or why there is none
   */
  public ProfileCollector(RunFolder folder, String attempt, int worldSize, Consumer<String> say) {
    this.folder = folder;
    this.attempt = attempt;
    this.worldSize = worldSize;
    this.say = say;
  }

  @Override
  public synchronized void accept(RankEvent event) {
    if (event instanceof RankEvent.ProfileLost missing) {
      lost.add(missing.rank());
      say.accept(
          "The profile is without rank %s: %s".formatted(missing.rank(), missing.sentence()));
    } else if (event instanceof RankEvent.Profiled part) {
      parts.put(part.rank(), part);
      if (parts.size() == worldSize) {
        begin();
      }
    }
  }

  private synchronized void begin() {
    List<RankEvent.Profiled> all = List.copyOf(parts.values());
    writer = new Thread(() -> write(all), "profile");
    writer.setDaemon(true);
    writer.start();
  }

  private synchronized Thread writer() {
    if (writer == null && !parts.isEmpty()) {
      begin();
    }
    return writer;
  }

  /**
   * The attempt is over: says which ranks have sent nothing, makes the trace of the parts that
   * there are, and waits for it.
   *
   * @param most at most so long; what is not written by then is given up
   */
  public void end(Duration most) {
    missing().ifPresent(say);
    Thread last = writer();
    if (last == null) {
      return;
    }
    try {
      last.join(most.toMillis());
      if (last.isAlive()) {
        givenUp = true;
        last.interrupt();
        say.accept(
            "The profile is not written %s s after the attempt: it is given up."
                .formatted(most.toSeconds()));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Of ranks that have said nothing of their profile. */
  private synchronized Optional<String> missing() {
    String silent =
        IntStream.range(0, worldSize)
            .filter(rank -> !parts.containsKey(rank) && !lost.contains(rank))
            .mapToObj(Integer::toString)
            .collect(Collectors.joining(", "));
    if (silent.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        parts.isEmpty() && lost.isEmpty()
            ? "There is no profile of this attempt: no rank has sent its part before it ended."
            : "The profile is without rank %s: no part has come before the attempt ended."
                .formatted(silent));
  }

  private void write(List<RankEvent.Profiled> all) {
    boolean packs = all.stream().mapToLong(RankEvent.Profiled::spans).sum() > PLAIN_SPANS;
    try {
      // one of an earlier attempt may have been larger
      folder.delete(packs ? PLAIN : PACKED);
      folder.write(
          packs ? PACKED : PLAIN,
          out -> {
            if (packs) {
              GZIPOutputStream gzip = new GZIPOutputStream(out);
              trace(all, gzip);
              gzip.finish();
            } else {
              trace(all, out);
            }
            if (givenUp) {
              // in its place there may be a later attempt's
              throw new IOException("given up");
            }
          });
      say.accept(told(all, RunFolder.display(folder.child(packs ? PACKED : PLAIN))));
    } catch (Exception | OutOfMemoryError e) {
      // whatever it is, the run goes on
      if (!givenUp) {
        String why = StoreRefusal.sentence(e).orElseGet(e::toString);
        say.accept("The profile could not be written: " + why);
      }
    }
  }

  private void trace(List<RankEvent.Profiled> all, OutputStream out) throws IOException {
    String place = Attempt.resultFolder(attempt, ProfilePart.FOLDER);
    TraceFile.write(
        all,
        rank -> folder.storage().open(folder.child(place + "/" + ProfilePart.fileName(rank))),
        out);
  }

  private String told(List<RankEvent.Profiled> all, String place) {
    boolean cut = all.stream().anyMatch(RankEvent.Profiled::isCut);
    return String.format(
        Locale.ROOT,
        "Profile of steps %,d to %,d of %s%s: %s (opens in ui.perfetto.dev)",
        all.get(0).firstStep(),
        all.get(0).lastStep(),
        all.size() == worldSize
            ? worldSize == 1 ? "the only rank" : "all %s ranks".formatted(worldSize)
            : "%s of %s ranks".formatted(all.size(), worldSize),
        cut ? ", cut short because there were too many spans" : "",
        place);
  }
}
