package dev.anneal.spark.lease;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A lock of the kernel on {@code run.lock}. It ends with its process however that ends, and a
 * suspended process keeps it. What the file says is for people only. It is never removed: two
 * processes could then lock two files of the same name.
 */
final class LocalLease implements OutputLease {
  private static final Logger LOG = LoggerFactory.getLogger(LocalLease.class);

  // closing any channel of a file gives up the process's lock on it (fcntl(2)): a second attempt
  // in this process must not come to open one
  private static final Map<Path, LeaseRecord> HELD_BY_THIS_PROCESS = new ConcurrentHashMap<>();

  private final RunFolder folder;
  private final Path file;
  private final LeaseRecord own;
  private final FileChannel channel;
  private final Object inode;

  private LocalLease(
      RunFolder folder, Path file, LeaseRecord own, FileChannel channel, Object inode) {
    this.folder = folder;
    this.file = file;
    this.own = own;
    this.channel = channel;
    this.inode = inode;
  }

  static LocalLease acquire(RunFolder folder, LeaseRecord own) throws IOException {
    Path file = file(folder);
    LeaseRecord holder = HELD_BY_THIS_PROCESS.putIfAbsent(file, own);
    if (holder != null) {
      throw LeaseRecord.refusal(folder, Optional.of(holder));
    }
    try {
      FileChannel channel = lock(folder, file, own);
      return new LocalLease(folder, file, own, channel, inode(file));
    } catch (IOException | RuntimeException e) {
      HELD_BY_THIS_PROCESS.remove(file, own);
      throw e;
    }
  }

  /** The file by one name for all ways to its folder, which is made if need be. */
  private static Path file(RunFolder folder) throws IOException {
    Path file =
        Path.of(new org.apache.hadoop.fs.Path(folder.child(RunFolder.LOCK)).toUri().getPath());
    Path parent = file.getParent();
    // before Java 20 a link to a folder is none to createDirectories
    if (!Files.isDirectory(parent)) {
      Files.createDirectories(parent);
    }
    return parent.toRealPath().resolve(file.getFileName());
  }

  private static FileChannel lock(RunFolder folder, Path file, LeaseRecord own) throws IOException {
    FileChannel channel = open(folder, file);
    try {
      if (!tryLock(folder, channel)) {
        throw LeaseRecord.refusal(folder, LeaseRecord.parse(read(channel)));
      }
      write(channel, own.json());
      return channel;
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  /** What is written there must not go through a link to a file of somebody else's. */
  private static FileChannel open(RunFolder folder, Path file) throws IOException {
    if (Files.exists(file, LinkOption.NOFOLLOW_LINKS) && !isOfItsOwn(file)) {
      throw new BadRequestException(
          "output.path %s: run.lock is a link or something else that is no file of its own: remove it, or choose another output.path."
              .formatted(folder.display()));
    }
    return FileChannel.open(
        file,
        StandardOpenOption.CREATE,
        StandardOpenOption.READ,
        StandardOpenOption.WRITE,
        LinkOption.NOFOLLOW_LINKS);
  }

  private static boolean isOfItsOwn(Path file) throws IOException {
    return Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
        && (int) Files.getAttribute(file, "unix:nlink", LinkOption.NOFOLLOW_LINKS) == 1;
  }

  private static boolean tryLock(RunFolder folder, FileChannel channel) {
    try {
      return channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      return false;
    } catch (IOException e) {
      throw new BadRequestException(
          "output.path %s is on a file system that cannot lock files (%s): mount it with locks, or choose another output.path."
              .formatted(folder.display(), e.getMessage()),
          e);
    }
  }

  private static String read(FileChannel channel) throws IOException {
    return new String(Channels.newInputStream(channel).readAllBytes(), UTF_8);
  }

  private static void write(FileChannel channel, String content) throws IOException {
    channel.truncate(0);
    ByteBuffer bytes = UTF_8.encode(content);
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  private static Object inode(Path file) throws IOException {
    return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
  }

  /** That {@code run.lock} is not the file that is locked, since somebody has removed it. */
  @Override
  public Optional<String> loss() throws IOException {
    return isHeld() ? Optional.empty() : Optional.of(LeaseRecord.removed(folder));
  }

  @Override
  public boolean isHeld() throws IOException {
    try {
      return channel.isOpen() && inode.equals(inode(file));
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  @Override
  public void close() {
    try (channel) {
      channel.truncate(0);
    } catch (IOException e) {
      LOG.warn("{} still names this run", file, e);
    } finally {
      HELD_BY_THIS_PROCESS.remove(file, own);
    }
  }
}
