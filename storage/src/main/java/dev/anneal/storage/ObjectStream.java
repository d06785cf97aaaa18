package dev.anneal.storage;

import java.io.IOException;
import java.io.OutputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.StreamCapabilities;

/** An object that appears when it is closed, but not when a write has failed. */
final class ObjectStream extends OutputStream {
  // S3A would first list what lies below the name; other file systems do not know the option
  private static final String WITHOUT_PROBES = "fs.s3a.create.performance";

  private final FSDataOutputStream out;
  private boolean discarded;

  private ObjectStream(FSDataOutputStream out) {
    this.out = out;
  }

  /** Replaces what is there, if something is, when the stream is closed. */
  static ObjectStream create(FileSystem fs, Path path) throws IOException {
    FSDataOutputStreamBuilder<?, ?> builder = fs.createFile(path);
    builder.recursive();
    builder.overwrite(true);
    builder.opt(WITHOUT_PROBES, true);
    return new ObjectStream(builder.build());
  }

  @Override
  public void write(int value) throws IOException {
    write(new byte[] {(byte) value});
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    try {
      out.write(bytes, offset, length);
    } catch (IOException | RuntimeException | Error e) {
      discard(e);
      throw e;
    }
  }

  @Override
  public void close() throws IOException {
    if (!discarded) {
      out.close();
    }
  }

  /** Gives up the object after a failure, which what goes wrong here is added to. */
  void discard(Throwable failure) {
    if (discarded) {
      return;
    }
    discarded = true;
    // Closing the stream would publish what it has. One that cannot be aborted is left open: the
    // upload is never completed, and what stands under the name stays.
    if (out.hasCapability(StreamCapabilities.ABORTABLE_STREAM)) {
      try {
        out.abort();
      } catch (RuntimeException e) {
        failure.addSuppressed(e);
      }
    }
  }
}
