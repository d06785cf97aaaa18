import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;

/**
 * The files of a folder as a model of the hub, {@code bench/files}: revision, listing and files by
 * range, which the kernel sends (sendfile), so that the cores are left to whoever fetches. Prints
 * its address. Arguments: the folder, and at will the MB a second that a connection gets.
 */
final class HubFiles {
  private static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
  private static final String RESOLVE = "/bench/files/resolve/" + COMMIT + "/";

  private static final int CHUNK_BYTES = 1 << 20;

  private final Path folder;
  private final String listing;
  private final double bytesPerSecond;

  private HubFiles(Path folder, double bytesPerSecond) throws Exception {
    this.folder = folder;
    this.bytesPerSecond = bytesPerSecond;
    List<String> entries = new ArrayList<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.sorted().toList()) {
        entries.add(
            "{\"type\":\"file\",\"path\":\"%s\",\"size\":%s,\"oid\":\"0\",\"lfs\":{\"oid\":\"%s\"}}"
                .formatted(file.getFileName(), Files.size(file), sha256(file)));
      }
    }
    this.listing = "[" + String.join(",", entries) + "]";
  }

  private static String sha256(Path file) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    try (InputStream in = Files.newInputStream(file)) {
      byte[] chunk = new byte[1 << 20];
      for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
        digest.update(chunk, 0, read);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  public static void main(String[] args) throws Exception {
    HubFiles hub =
        new HubFiles(
            Path.of(args[0]), args.length > 1 ? Double.parseDouble(args[1]) * 1e6 : Double.MAX_VALUE);
    ExecutorService threads = Executors.newCachedThreadPool();
    ServerSocketChannel server = ServerSocketChannel.open();
    server.bind(new InetSocketAddress("127.0.0.1", 0));
    System.out.println("http://127.0.0.1:" + ((InetSocketAddress) server.getLocalAddress()).getPort());
    while (true) {
      SocketChannel client = server.accept();
      threads.execute(() -> hub.serve(client));
    }
  }

  private void serve(SocketChannel client) {
    try (client) {
      client.setOption(StandardSocketOptions.TCP_NODELAY, true);
      BufferedReader in =
          new BufferedReader(
              new InputStreamReader(Channels.newInputStream(client), StandardCharsets.US_ASCII));
      for (String request = in.readLine(); request != null; request = in.readLine()) {
        String range = null;
        for (String header = in.readLine(); !header.isEmpty(); header = in.readLine()) {
          range = header.toLowerCase(Locale.ROOT).startsWith("range: bytes=") ? header.substring(13) : range;
        }
        answer(client, request.split(" ")[1], range);
      }
    } catch (IOException gone) {
      return;
    }
  }

  private void answer(SocketChannel client, String path, String range) throws IOException {
    if (path.startsWith(RESOLVE)) {
      file(client, folder.resolve(path.substring(RESOLVE.length())), range);
    } else {
      String body = path.contains("/revision/") ? "{\"sha\":\"" + COMMIT + "\"}" : listing;
      write(client, "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n%s".formatted(body.length(), body));
    }
  }

  private void file(SocketChannel client, Path file, String range) throws IOException {
    try (FileChannel content = FileChannel.open(file, StandardOpenOption.READ)) {
      long size = content.size();
      String[] ends = range == null ? null : range.strip().split("-");
      long start = range == null ? 0 : Long.parseLong(ends[0]);
      long end = range == null ? size : Math.min(size, Long.parseLong(ends[1]) + 1);
      write(
          client,
          "HTTP/1.1 %s\r\nContent-Length: %s\r\nContent-Range: bytes %s-%s/%s\r\n\r\n"
              .formatted(range == null ? "200 OK" : "206 Partial Content", end - start, start, end - 1, size));
      long begin = System.nanoTime();
      for (long at = start; at < end; ) {
        at += content.transferTo(at, Math.min(CHUNK_BYTES, end - at), client);
        pace(begin, at - start);
      }
    }
  }

  private void pace(long begin, long bytes) throws IOException {
    long early = (long) (bytes / bytesPerSecond * 1e3) - (System.nanoTime() - begin) / 1_000_000;
    if (early > 0) {
      try {
        Thread.sleep(early);
      } catch (InterruptedException e) {
        throw new IOException(e);
      }
    }
  }

  private static void write(SocketChannel client, String text) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
    while (bytes.hasRemaining()) {
      client.write(bytes);
    }
  }
}
