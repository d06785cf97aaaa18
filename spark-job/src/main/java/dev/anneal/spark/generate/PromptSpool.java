package dev.anneal.spark.generate;

import dev.anneal.spark.job.Interruption;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import org.apache.hadoop.fs.FileUtil;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All prompts of a request in a file of the driver's machine, in their order, so that memory holds
 * no more of them than are under way.
 */
final class PromptSpool implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(PromptSpool.class);

  private final Path folder;
  private final Path file;
  private final DataOutputStream out;
  private final Interruption told;
  private long count;

  private PromptSpool(Path folder) throws IOException {
    this.folder = folder;
    this.file = folder.resolve("prompts");
    this.out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file)));
    this.told = new Interruption(this::abandon);
  }

  /**
   * A prompt that waits.
   *
   * @param given what its line of the result repeats
   * @param ids its tokens
   */
  record Waiting(String given, int[] ids) {
    /** Takes it into a sum that tells prompts from others. */
    void addTo(MessageDigest digest) {
      digest.update(given.getBytes(StandardCharsets.UTF_8));
      for (int id : ids) {
        digest.update((byte) '\n');
        digest.update(Integer.toString(id).getBytes(StandardCharsets.UTF_8));
      }
      digest.update((byte) 0);
    }
  }

  /** An empty one, in a folder of its own. */
  static PromptSpool create() throws IOException {
    Path folder = Files.createTempDirectory("anneal-prompts");
    try {
      return new PromptSpool(folder);
    } catch (IOException | RuntimeException e) {
      remove(folder);
      throw e;
    }
  }

  /** A folder that is removed with it. */
  Path folder() {
    return folder;
  }

  void add(String given, int[] ids) throws IOException {
    byte[] bytes = given.getBytes(StandardCharsets.UTF_8);
    out.writeInt(bytes.length);
    out.write(bytes);
    out.writeInt(ids.length);
    for (int id : ids) {
      out.writeInt(id);
    }
    count++;
  }

  /** How many there are. */
  long count() {
    return count;
  }

  /** Reads them from the first on; there are no more to come. */
  Reader open() throws IOException {
    out.flush();
    return new Reader(new DataInputStream(new BufferedInputStream(Files.newInputStream(file))));
  }

  /** Reads one after the other; not for several threads. */
  static final class Reader implements AutoCloseable {
    private final DataInputStream in;
    private long next;

    private Reader(DataInputStream in) {
      this.in = in;
    }

    /** Number of the one that {@link #read} gives next, from 0. */
    long next() {
      return next;
    }

    /** The next one, which is there. */
    Waiting read() throws IOException {
      byte[] given = new byte[in.readInt()];
      in.readFully(given);
      int[] ids = new int[in.readInt()];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = in.readInt();
      }
      next++;
      return new Waiting(new String(given, StandardCharsets.UTF_8), ids);
    }

    /** Goes behind those before {@code number}. */
    void skipTo(long number) throws IOException {
      while (next < number) {
        in.skipNBytes(in.readInt());
        in.skipNBytes((long) Integer.BYTES * in.readInt());
        next++;
      }
    }

    @Override
    public void close() throws IOException {
      in.close();
    }
  }

  @Override
  public void close() throws IOException {
    try (told) {
      out.close();
    } finally {
      remove(folder);
    }
  }

  /** The process ends: prompts may be what nobody else is to read. */
  private void abandon() {
    try {
      remove(folder);
    } catch (IOException e) {
      LOG.warn("{} cannot be removed", folder, e);
    }
  }

  /** With what copies from the hub are in it. */
  private static void remove(Path folder) throws IOException {
    if (!FileUtil.fullyDelete(folder.toFile())) {
      throw new IOException(folder + " cannot be removed");
    }
  }
}
