package dev.anneal.spark.tracking.tensorboard;

import dev.anneal.spark.output.MetricsLine;
import dev.anneal.spark.output.PublishedLines;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.tracking.Measurements;
import dev.anneal.spark.tracking.RunEnd;
import dev.anneal.spark.tracking.TrackedRun;
import dev.anneal.spark.tracking.Tracker;
import dev.anneal.storage.Storage;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Writes a run's event file: what the metrics log holds, with the times at which it was measured. A
 * file grows, or where it cannot is written anew now and then. Where a run goes on from an earlier
 * step there is a new file in the place of the old one, so that no step stands there twice.
 */
public final class TensorBoardTracker implements Tracker {
  private static final Duration REWRITE_EVERY = Duration.ofSeconds(30);
  private static final int LINES = 1000;
  private static final String NAMES = "events.out.tfevents.";
  private static final Pattern NAME = Pattern.compile("events\\.out\\.tfevents\\.(\\d{10})\\..*");

  private final TrackedRun run;
  private final Measurements measurements;
  private final Duration rewriteEvery;

  /** {@code null} before the first, and after a rewind. */
  private PublishedLines file;

  private boolean restored;
  private MetricsLine written;
  private volatile boolean outdated = true;

  public TensorBoardTracker(TrackedRun run, Measurements measurements) {
    this(run, measurements, REWRITE_EVERY);
  }

  TensorBoardTracker(TrackedRun run, Measurements measurements, Duration rewriteEvery) {
    this.run = run;
    this.measurements = measurements;
    this.rewriteEvery = rewriteEvery;
  }

  @Override
  public String name() {
    return "TensorBoard";
  }

  @Override
  public void rewound(long step) {
    outdated = true;
  }

  @Override
  public void update() throws IOException {
    boolean done = false;
    try {
      bringUpToDate();
      done = true;
    } finally {
      if (!done) {
        // nobody knows how much of the last lines has arrived
        outdated = true;
      }
    }
  }

  private void bringUpToDate() throws IOException {
    if (outdated) {
      begin();
    } else if (file.grows()) {
      if (!measurements.after(written, 1).isEmpty()) {
        file.append(this::writeRest);
      }
    } else if (file.pause(rewriteEvery).isNegative()) {
      rewrite();
    }
  }

  private void begin() throws IOException {
    List<String> old = there();
    if (!restored) {
      for (String name : old) {
        restoreTimes(name);
      }
      restored = true;
    }
    // a rewind from here on makes it outdated again
    outdated = false;
    if (file != null) {
      file.close();
    }
    file = new PublishedLines(run.folder(), RunFolder.TENSORBOARD + "/" + nameBehind(old));
    file.replace(this::writeAll);
    for (String each : old) {
      run.folder().delete(RunFolder.TENSORBOARD + "/" + each);
    }
  }

  /** By the seconds in its name TensorBoard tells which file comes later. */
  private static String nameBehind(List<String> old) {
    long seconds = System.currentTimeMillis() / 1000;
    for (String name : old) {
      Matcher before = NAME.matcher(name);
      if (before.matches()) {
        seconds = Math.max(seconds, Long.parseLong(before.group(1)) + 1);
      }
    }
    return String.format(Locale.ROOT, "%s%010d.anneal", NAMES, seconds);
  }

  /** Writes the file anew, if there is anything new. */
  private void rewrite() throws IOException {
    if (!measurements.after(written, 1).isEmpty()) {
      file.replace(this::writeAll);
    }
  }

  private List<String> there() throws IOException {
    List<String> names = new ArrayList<>();
    String folder = run.folder().child(RunFolder.TENSORBOARD);
    for (Storage.FileInfo each : run.folder().storage().list(folder)) {
      String name = each.uri().substring(each.uri().lastIndexOf('/') + 1);
      if (name.startsWith(NAMES)) {
        names.add(name);
      }
    }
    return names;
  }

  /** What an earlier process has measured keeps its time. */
  private void restoreTimes(String name) throws IOException {
    String location = run.folder().child(RunFolder.TENSORBOARD + "/" + name);
    try (InputStream in = new BufferedInputStream(run.folder().storage().open(location))) {
      for (byte[] record = Records.next(in); record != null; record = Records.next(in)) {
        Optional<Events.Read> event = Events.read(record);
        event.ifPresent(
            e -> measurements.restore(e.step(), e.tag().equals(Scalars.EVAL_LOSS), e.millis()));
      }
    }
  }

  private void writeAll(OutputStream to) throws IOException {
    written = null;
    List<MetricsLine> first = measurements.after(null, 1);
    long millis = first.isEmpty() ? System.currentTimeMillis() : measurements.millis(first.get(0));
    OutputStream out = new BufferedOutputStream(to);
    out.write(Records.framed(Events.version(millis)));
    // TensorBoard that has read the file before forgets it
    out.write(Records.framed(Events.start(millis, 0)));
    out.write(Records.framed(Events.text(millis, "configuration", Scalars.configuration(run))));
    out.flush();
    writeRest(to);
  }

  private void writeRest(OutputStream to) throws IOException {
    OutputStream out = new BufferedOutputStream(to);
    List<MetricsLine> lines;
    do {
      lines = measurements.after(written, LINES);
      for (MetricsLine line : lines) {
        long millis = measurements.millis(line);
        out.write(Records.framed(Events.scalars(millis, line.step(), Scalars.of(line))));
        written = line;
      }
    } while (lines.size() == LINES);
    out.flush();
  }

  @Override
  public void end(RunEnd end) throws IOException {
    if (!file.grows()) {
      rewrite();
    }
    file.close();
  }
}
