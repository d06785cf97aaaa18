package dev.anneal.storage;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import org.apache.hadoop.fs.BBPartHandle;
import org.apache.hadoop.fs.BBUploadHandle;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.MultipartUploader;
import org.apache.hadoop.fs.PartHandle;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.UploadHandle;

/**
 * A file whose parts any process sends, in any order, and that is there when it is completed: what
 * S3 calls a multipart upload. Uploads and parts are told by bytes that mean the same everywhere.
 */
public final class MultipartUpload implements AutoCloseable {
  private static final String KNOWN = "fs.capability.multipart.uploader";

  /** Since Hadoop 3.4.2 it is also told which part is the last. */
  private static final int ARGUMENTS_WITH_LAST = 6;

  private final Path path;
  private final MultipartUploader uploader;

  private MultipartUpload(Path path, MultipartUploader uploader) {
    this.path = path;
    this.uploader = uploader;
  }

  /** Whether the file system of a location knows uploads in parts. */
  public static boolean isKnown(Storage storage, String location) throws IOException {
    Path path = new Path(location);
    return storage.fileSystem(path).hasPathCapability(path, KNOWN);
  }

  /** Of a file. */
  public static MultipartUpload of(Storage storage, String location) throws IOException {
    Path path = new Path(location);
    FileSystem fs = storage.fileSystem(path);
    return new MultipartUpload(path, fs.createMultipartUploader(path).build());
  }

  /** Begins an upload; what tells it may be written down. */
  public byte[] start() throws IOException {
    return Futures.await(uploader.startUpload(path)).toByteArray();
  }

  /**
   * Sends a part, which takes its time; {@link Futures#await} waits for it.
   *
   * @param number counted from 1
   * @param bytes must stay as they are until it is sent
   * @return what tells the part, which may be written down
   */
  public Future<byte[]> put(byte[] upload, int number, boolean last, byte[] bytes, int length)
      throws IOException {
    // a stream over an array can begin again, as the store's client does after a failure
    InputStream in = new ByteArrayInputStream(bytes, 0, length);
    return putPart(handle(upload), number, last, in, length).thenApply(PartHandle::toByteArray);
  }

  @SuppressWarnings("unchecked")
  private CompletableFuture<PartHandle> putPart(
      UploadHandle upload, int number, boolean last, InputStream in, long length)
      throws IOException {
    Method method =
        Arrays.stream(MultipartUploader.class.getMethods())
            .filter(candidate -> candidate.getName().equals("putPart"))
            .findFirst()
            .orElseThrow();
    Object[] arguments =
        method.getParameterCount() == ARGUMENTS_WITH_LAST
            ? new Object[] {upload, number, last, path, in, length}
            : new Object[] {upload, number, path, in, length};
    try {
      return (CompletableFuture<PartHandle>) method.invoke(uploader, arguments);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof IOException failure) {
        throw failure;
      }
      throw new IOException(e.getCause());
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Makes the file of all its parts, which replaces what is there. */
  public void complete(byte[] upload, Map<Integer, byte[]> parts) throws IOException {
    Map<Integer, PartHandle> handles = new TreeMap<>();
    parts.forEach((number, part) -> handles.put(number, BBPartHandle.from(ByteBuffer.wrap(part))));
    Futures.await(uploader.complete(handle(upload), path, handles));
  }

  /** Gives an upload up with all its parts. */
  public void abort(byte[] upload) throws IOException {
    Futures.await(uploader.abort(handle(upload), path));
  }

  private static UploadHandle handle(byte[] upload) {
    return BBUploadHandle.from(ByteBuffer.wrap(upload));
  }

  @Override
  public void close() throws IOException {
    uploader.close();
  }
}
