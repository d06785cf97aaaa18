package dev.anneal.spark.lease;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options.CreateFileOptionKeys;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * A local folder that is a store to Hadoop: objects appear whole when they are closed, and one that
 * must be new only if none is there.
 */
public final class FolderOfObjects extends RawLocalFileSystem {
  /** A file with this name lets reads in its folder fail. */
  static final String AWAY = "away";

  private static final String SCHEME = "gs";

  /** A configuration that knows it. */
  static Configuration configuration() {
    Configuration hadoop = new Configuration();
    hadoop.setClass("fs." + SCHEME + ".impl", FolderOfObjects.class, FileSystem.class);
    return hadoop;
  }

  static String uri(java.nio.file.Path folder) {
    return SCHEME + "://" + folder;
  }

  @Override
  public URI getUri() {
    return URI.create(SCHEME + ":///");
  }

  @Override
  public String getScheme() {
    return SCHEME;
  }

  @Override
  public boolean hasPathCapability(Path path, String capability) throws IOException {
    return capability.equals(CreateFileOptionKeys.FS_OPTION_CREATE_CONDITIONAL_OVERWRITE)
        || super.hasPathCapability(path, capability);
  }

  @Override
  public FSDataInputStream open(Path path, int bufferSize) throws IOException {
    if (Files.exists(pathToFile(path).toPath().resolveSibling(AWAY))) {
      throw new IOException("503 Service Unavailable");
    }
    return super.open(path, bufferSize);
  }

  @Override
  public FSDataOutputStream create(
      Path path,
      FsPermission permission,
      boolean overwrite,
      int bufferSize,
      short replication,
      long blockSize,
      Progressable progress)
      throws IOException {
    return new FSDataOutputStream(new Upload(pathToFile(path).toPath(), overwrite), null);
  }

  @Override
  public FSDataOutputStream create(
      Path path,
      boolean overwrite,
      int bufferSize,
      short replication,
      long blockSize,
      Progressable progress)
      throws IOException {
    return create(path, null, overwrite, bufferSize, replication, blockSize, progress);
  }

  private static final class Upload extends ByteArrayOutputStream {
    private final java.nio.file.Path object;
    private final boolean overwrite;

    Upload(java.nio.file.Path object, boolean overwrite) {
      this.object = object;
      this.overwrite = overwrite;
    }

    @Override
    public void close() throws IOException {
      java.nio.file.Path folder = Files.createDirectories(object.getParent());
      java.nio.file.Path whole =
          Files.write(folder.resolve("." + UUID.randomUUID()), toByteArray());
      if (overwrite) {
        Files.move(whole, object, StandardCopyOption.ATOMIC_MOVE);
        return;
      }
      try {
        Files.createLink(object, whole);
      } catch (FileAlreadyExistsException e) {
        throw new IOException("412 Precondition Failed", e);
      } finally {
        Files.delete(whole);
      }
    }
  }
}
