package dev.anneal.data.hub;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A local file that is being fetched, by one user at a time: its name says which process fetches
 * it. Nobody's is one whose process is gone, or that was left unfinished; whoever renames it first
 * goes on with it, and others begin anew.
 */
final class PartialFile implements AutoCloseable {
  private static final String SUFFIX = ".part";
  private static final Pattern OWNER = Pattern.compile("\\.(\\d+)-(\\d+)-\\w+@(.+)\\.part$");

  private final Path path;
  private final Path unfinished;

  private PartialFile(Path path, Path unfinished) {
    this.path = path;
    this.unfinished = unfinished;
  }

  /**
   * Takes what is there of a file, or begins it.
   *
   * @param name of the whole file
   */
  static PartialFile claim(Path folder, String name) throws IOException {
    Path unfinished = folder.resolve(name + SUFFIX);
    ProcessHandle self = ProcessHandle.current();
    String owner =
        "%s-%s-%s@%s"
            .formatted(
                self.pid(), start(self), UUID.randomUUID().toString().substring(0, 8), host());
    Path own = folder.resolve(name + "." + owner + SUFFIX);
    try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, name + "*" + SUFFIX)) {
      for (Path part : found) {
        if ((part.equals(unfinished) || isOrphan(part)) && rename(part, own)) {
          return new PartialFile(own, unfinished);
        }
      }
    }
    Files.createFile(own);
    return new PartialFile(own, unfinished);
  }

  private static boolean rename(Path from, Path to) throws IOException {
    try {
      Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
      return true;
    } catch (NoSuchFileException takenByAnother) {
      return false;
    }
  }

  private static boolean isOrphan(Path part) {
    Matcher owner = OWNER.matcher(part.getFileName().toString());
    if (!owner.find() || !owner.group(3).equals(host())) {
      return false;
    }
    Optional<ProcessHandle> process = ProcessHandle.of(Long.parseLong(owner.group(1)));
    return process.isEmpty() || start(process.get()) != Long.parseLong(owner.group(2));
  }

  /** Tells processes of the same number apart. */
  private static long start(ProcessHandle process) {
    return process.info().startInstant().map(Instant::toEpochMilli).orElse(0L);
  }

  private static String host() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (IOException nameless) {
      return "localhost";
    }
  }

  Path path() {
    return path;
  }

  /** Leaves what is there to the next one. */
  @Override
  public void close() throws IOException {
    if (Files.exists(path)) {
      Files.move(path, unfinished, StandardCopyOption.ATOMIC_MOVE);
    }
  }
}
