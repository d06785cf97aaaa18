package dev.anneal.spark.output;

import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.time.Duration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A file of lines or records, appended to where that shows at once, else written anew. */
public final class PublishedLines implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(PublishedLines.class);

  private static final String HFLUSH = "hflush";

  private static final int PAUSE_PER_WRITE = 20;

  private final RunFolder folder;
  private final String file;
  private boolean canAppend = true;

  // null while every change is a new file
  private volatile FSDataOutputStream end;
  private volatile long rewrittenAt = System.nanoTime();
  private volatile long rewriteNanos;

  /** The file {@code metrics.jsonl}. */
  PublishedLines(RunFolder folder) {
    this(folder, RunFolder.METRICS);
  }

  /**
   * A file that nobody else writes.
   *
   * @param file path below the folder
   */
  public PublishedLines(RunFolder folder, String file) {
    this.folder = folder;
    this.file = file;
  }

  /** Whether a new line costs an append alone. */
  public boolean grows() {
    return end != null;
  }

  /**
   * How long to wait before it is written anew.
   *
   * @param least however little that costs
   */
  public Duration pause(Duration least) {
    // the more lines there are the longer it takes: at most a twentieth of the time
    long atMostNow = Math.max(least.toNanos(), PAUSE_PER_WRITE * rewriteNanos);
    return Duration.ofNanos(atMostNow - (System.nanoTime() - rewrittenAt));
  }

  /** Whether the file can be made to grow, as far as is known. */
  boolean canGrow() {
    return canAppend;
  }

  /** Adds to the file, where it {@link #grows}; it grows no more once that has failed. */
  public void append(Storage.Content lines) throws IOException {
    boolean added = false;
    try {
      lines.writeTo(end);
      end.hflush();
      added = true;
    } finally {
      if (!added) {
        disconnect();
      }
    }
  }

  /** Makes the file anew, whole or not at all. */
  public void replace(Storage.Content lines) throws IOException {
    disconnect();
    rewrittenAt = System.nanoTime();
    folder.write(file, lines);
    rewriteNanos = System.nanoTime() - rewrittenAt;
    if (canAppend) {
      connect();
    }
  }

  private void connect() throws IOException {
    FSDataOutputStream out;
    try {
      out = folder.append(file);
    } catch (IOException | UnsupportedOperationException e) {
      canAppend = false;
      return;
    }
    // a local file shows what is flushed, and does not say so
    if (folder.isLocal() || out.hasCapability(HFLUSH)) {
      end = out;
    } else {
      canAppend = false;
      out.close();
    }
  }

  // what is lost of its end comes with the file that replaces it
  private void disconnect() {
    try {
      close();
    } catch (IOException e) {
      LOG.debug("closing {}, which is replaced", file, e);
    }
  }

  @Override
  public void close() throws IOException {
    FSDataOutputStream out = end;
    end = null;
    if (out != null) {
      out.close();
    }
  }
}
