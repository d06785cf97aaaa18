package dev.anneal.spark.output;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.training.checkpoint.InvalidCheckpointException;
import dev.anneal.training.trainer.StepMetrics;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * Everything measured in a run so far, over all its attempts: a line for every step and every
 * evaluation, in the order of the steps. A step that is told again replaces what was told before.
 */
public final class MetricsLog {
  private static final int BUFFER_BYTES = 1 << 16;

  private final NavigableSet<MetricsLine> lines = new TreeSet<>();

  /**
   * What a checkpoint holds, see {@link #upTo}.
   *
   * @throws InvalidCheckpointException if a line is damaged, doubled or missing
   */
  public static MetricsLog restore(byte[] jsonLines) {
    String text = new String(jsonLines, UTF_8);
    if (!text.isEmpty() && !text.endsWith("\n")) {
      throw MetricsLine.damaged(text.substring(text.lastIndexOf('\n') + 1));
    }
    MetricsLog log = new MetricsLog();
    text.lines().map(MetricsLine::parse).forEach(log::addRestored);
    return log;
  }

  /**
   * What {@code metrics.jsonl} of a run shows to whoever looks, also while it is being written.
   *
   * @param jsonLines pieces of it; a line that another repeats replaces that one, and the last of a
   *     piece counts once its end is there
   * @throws InvalidCheckpointException if a line is damaged
   */
  public static MetricsLog published(List<byte[]> jsonLines) {
    MetricsLog log = new MetricsLog();
    for (byte[] piece : jsonLines) {
      String text = new String(piece, UTF_8);
      text.substring(0, text.lastIndexOf('\n') + 1)
          .lines()
          .map(MetricsLine::parse)
          .forEach(log::put);
    }
    return log;
  }

  private void addRestored(MetricsLine line) {
    boolean follows = lines.isEmpty() || lines.last().compareTo(line) < 0;
    boolean complete =
        line.isEvaluation() ? lastStep() == line.step() : lastStep() + 1 == line.step();
    if (!follows || !complete) {
      throw new InvalidCheckpointException(
          "metrics.jsonl is not complete and in order at step " + line.step());
    }
    lines.add(line);
  }

  public synchronized void step(StepMetrics metrics) {
    put(MetricsLine.of(metrics));
  }

  public synchronized void evaluation(long step, double evalLoss) {
    put(MetricsLine.of(step, evalLoss));
  }

  /** Takes a line in; whether all that were there before come before it. */
  synchronized boolean put(MetricsLine line) {
    boolean last = lines.isEmpty() || lines.last().compareTo(line) < 0;
    // a set keeps the one it has
    lines.remove(line);
    lines.add(line);
    return last;
  }

  /** The last step that was told; 0 before the first. */
  public synchronized long lastStep() {
    return lines.isEmpty() ? 0 : lines.last().step();
  }

  /**
   * The lines of a checkpoint, those of all steps up to it, as UTF-8.
   *
   * @throws IllegalStateException if a step among them has not been told
   */
  public synchronized byte[] upTo(long step) {
    NavigableSet<MetricsLine> head = lines.headSet(end(step), true);
    long told = head.stream().filter(line -> !line.isEvaluation()).count();
    if (told != step) {
      throw new IllegalStateException(
          "of the %s steps up to the checkpoint %s have been told".formatted(step, told));
    }
    return bytes(head);
  }

  /** Forgets what came after a step, because the run goes on from there. */
  public synchronized void rewind(long step) {
    lines.tailSet(end(step), false).clear();
  }

  /** Tells everything again, in its order; of a skipped step, what is not finite is NaN. */
  public synchronized void replay(
      Consumer<StepMetrics> steps, BiConsumer<Long, Double> evaluations) {
    for (MetricsLine line : lines) {
      if (line.isEvaluation()) {
        evaluations.accept(line.step(), line.evalLoss());
      } else {
        steps.accept(line.metrics());
      }
    }
  }

  /** The last steps, at most {@code most}, in their order. */
  synchronized List<StepMetrics> lastSteps(int most) {
    List<StepMetrics> last = new ArrayList<>();
    for (MetricsLine line : lines.descendingSet()) {
      if (last.size() == most) {
        break;
      }
      if (!line.isEvaluation()) {
        last.add(0, line.metrics());
      }
    }
    return last;
  }

  /** The last line; {@code null} where there is none. */
  synchronized MetricsLine last() {
    return lines.isEmpty() ? null : lines.last();
  }

  /** The lines behind one, all of them behind {@code null}. */
  synchronized List<MetricsLine> after(MetricsLine line) {
    return new ArrayList<>(line == null ? lines : lines.tailSet(line, false));
  }

  /** At most {@code most} lines behind one, from the first on behind {@code null}. */
  public synchronized List<MetricsLine> after(MetricsLine line, int most) {
    NavigableSet<MetricsLine> rest = line == null ? lines : lines.tailSet(line, false);
    return rest.stream().limit(most).toList();
  }

  /** Writes lines one after the other, so that none of a long log is in memory twice. */
  static void write(Collection<MetricsLine> lines, OutputStream to) throws IOException {
    OutputStream out = new BufferedOutputStream(to, BUFFER_BYTES);
    for (MetricsLine line : lines) {
      out.write(line.text().getBytes(UTF_8));
      out.write('\n');
    }
    out.flush();
  }

  // no line of the step comes behind its evaluation
  static MetricsLine end(long step) {
    return MetricsLine.of(step, Double.NaN);
  }

  private static byte[] bytes(Collection<MetricsLine> lines) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      write(lines, bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }
}
