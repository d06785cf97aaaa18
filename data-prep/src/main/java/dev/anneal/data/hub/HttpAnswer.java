package dev.anneal.data.hub;

import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * An answer to one request, without redirects. {@code HttpURLConnection} reads blocks from the
 * socket into the reader's buffer, which takes half the time of the processor that {@code
 * java.net.http} needs for the same bytes, and knows a limit for silence.
 */
final class HttpAnswer implements AutoCloseable {
  private static final Duration CONNECT = Duration.ofSeconds(30);
  private static final Duration SILENCE = Duration.ofSeconds(60);

  private final HttpURLConnection connection;
  private final URI uri;
  private final int status;
  private final Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
  private boolean isRead;

  private HttpAnswer(HttpURLConnection connection, URI uri, int status) {
    this.connection = connection;
    this.uri = uri;
    this.status = status;
    connection
        .getHeaderFields()
        .forEach(
            (name, values) -> {
              // the status line has no name
              if (name != null) {
                headers.put(name, values.get(0));
              }
            });
  }

  /**
   * Asks, and waits for the head of the answer.
   *
   * @param proxy null for that of Java's own settings
   */
  static HttpAnswer get(URI uri, Proxy proxy, Map<String, String> headers) throws IOException {
    HttpURLConnection connection =
        (HttpURLConnection)
            (proxy == null ? uri.toURL().openConnection() : uri.toURL().openConnection(proxy));
    connection.setInstanceFollowRedirects(false);
    connection.setUseCaches(false);
    connection.setConnectTimeout((int) CONNECT.toMillis());
    connection.setReadTimeout((int) SILENCE.toMillis());
    headers.forEach(connection::setRequestProperty);
    try {
      int status = connection.getResponseCode();
      if (status < 0) {
        throw new IOException("no answer of HTTP from " + uri.getAuthority());
      }
      return new HttpAnswer(connection, uri, status);
    } catch (ConnectException | UnknownHostException e) {
      throw new IOException("no connection to " + uri.getAuthority(), e);
    } catch (SocketTimeoutException e) {
      throw new IOException("no answer from " + uri.getAuthority(), e);
    }
  }

  URI uri() {
    return uri;
  }

  int status() {
    return status;
  }

  /** Whether it brings what was asked for, or a part of it. */
  boolean isContent() {
    return status == 200 || status == 206;
  }

  Optional<String> header(String name) {
    return Optional.ofNullable(headers.get(name));
  }

  /** Length of the body; -1 where the answer does not tell. */
  long length() {
    return connection.getContentLengthLong();
  }

  /** The reader has all that it wants of the body, and that is all of it. */
  void becomesRead() {
    isRead = true;
  }

  /** Reads what has come, at least a byte; -1 at the end, also where that came too early. */
  int read(byte[] bytes, int length) throws IOException {
    try {
      return connection.getInputStream().read(bytes, 0, length);
    } catch (SocketTimeoutException e) {
      throw new IOException("nothing came for %s seconds".formatted(SILENCE.toSeconds()), e);
    }
  }

  /** The whole body; what is read to its end leaves the connection to the next request. */
  byte[] readAll() throws IOException {
    try (InputStream in = connection.getInputStream()) {
      byte[] bytes = in.readAllBytes();
      isRead = true;
      return bytes;
    }
  }

  /** Leaves the connection to the next request where its body was read to the end, else ends it. */
  @Override
  public void close() {
    if (!isRead) {
      connection.disconnect();
    }
  }
}
