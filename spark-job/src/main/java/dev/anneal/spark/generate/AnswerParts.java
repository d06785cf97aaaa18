package dev.anneal.spark.generate;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Writes answers into a {@link WorkFolder}, a part now and then; for several threads. */
final class AnswerParts implements AnswerSink {
  /** What a process that is killed loses of its work, at least and as a share of it. */
  private static final Duration LEAST_PAUSE = Duration.ofSeconds(20);

  private static final int PAUSES_OF_ALL = 100;
  private static final int LARGEST_PART_BYTES = 64 << 20;

  private final WorkFolder folder;
  private final List<WorkFolder.Part> parts;
  private final ByteArrayOutputStream lines = new ByteArrayOutputStream();
  private final long began = System.nanoTime();
  private MessageDigest digest;
  private long partBegan;
  private long first;
  private long next;

  /**
   * @param folder in which the request has begun
   * @param there parts that there are already
   */
  AnswerParts(WorkFolder folder, List<WorkFolder.Part> there) {
    this.folder = folder;
    this.parts = new ArrayList<>(there);
    this.first = there.isEmpty() ? 0 : there.get(there.size() - 1).end();
    this.next = first;
    this.digest = folder.digest();
  }

  /** How many answers there are. */
  synchronized long count() {
    return next;
  }

  /** All parts, in their order. */
  synchronized List<WorkFolder.Part> parts() {
    return List.copyOf(parts);
  }

  @Override
  public synchronized void take(PromptSpool.Waiting prompt, Answer answer) throws IOException {
    long now = System.nanoTime();
    if (next == first) {
      partBegan = now;
    }
    lines.writeBytes((answer.line(prompt.given()) + "\n").getBytes(StandardCharsets.UTF_8));
    prompt.addTo(digest);
    next++;
    long pause = Math.max(LEAST_PAUSE.toNanos(), (now - began) / PAUSES_OF_ALL);
    if (now - partBegan >= pause || lines.size() >= LARGEST_PART_BYTES) {
      flush();
    }
  }

  @Override
  public synchronized void flush() throws IOException {
    if (next == first) {
      return;
    }
    WorkFolder.Part part = new WorkFolder.Part(first, next, WorkFolder.sha256(digest));
    folder.write(part, lines.toByteArray());
    parts.add(part);
    lines.reset();
    digest = folder.digest();
    first = next;
  }
}
