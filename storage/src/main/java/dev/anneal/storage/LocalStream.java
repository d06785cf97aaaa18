package dev.anneal.storage;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import org.apache.hadoop.fs.FSError;
import org.apache.hadoop.fs.Path;

/**
 * A file of Hadoop's local file system, which takes a full disk for an {@link Error}: whoever
 * writes expects an {@link IOException}.
 */
final class LocalStream extends FilterOutputStream {
  private final Path path;

  LocalStream(OutputStream out, Path path) {
    super(out);
    this.path = path;
  }

  @Override
  public void write(int value) throws IOException {
    run(() -> out.write(value));
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    run(() -> out.write(bytes, offset, length));
  }

  @Override
  public void flush() throws IOException {
    run(out::flush);
  }

  @Override
  public void close() throws IOException {
    run(out::close);
  }

  private interface Call {
    void run() throws IOException;
  }

  private void run(Call call) throws IOException {
    try {
      call.run();
    } catch (FSError e) {
      throw new IOException("%s: %s".formatted(path.toUri().getPath(), reason(e)), e);
    }
  }

  private static String reason(FSError error) {
    return error.getCause() == null ? error.getMessage() : error.getCause().getMessage();
  }
}
