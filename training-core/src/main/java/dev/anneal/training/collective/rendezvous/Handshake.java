package dev.anneal.training.collective.rendezvous;

import java.io.EOFException;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Arrays;

/**
 * How two processes of a run show each other, on a fresh connection, that both know the secret. The
 * one that came sends a nonce; the gate answers with one of its own and the HMAC of both; the one
 * that came sends its HMAC, and the gate a byte when all is ready. Nothing is sent from which a
 * stranger could learn the secret or what to answer the next time.
 */
final class Handshake {
  private static final String GATE = "gate";
  private static final String RANK = "rank";
  private static final byte READY = 1;

  private final Socket socket;
  private final SharedSecret secret;
  private final long deadline;

  /**
   * @param patience how long the other side may take for all of it
   */
  Handshake(Socket socket, SharedSecret secret, Duration patience) {
    this.socket = socket;
    this.secret = secret;
    this.deadline = System.nanoTime() + patience.toNanos();
  }

  /** The gate's side: whether whoever came knows the secret. */
  boolean admits() throws IOException {
    byte[] theirs = read(SharedSecret.BYTES);
    byte[] ours = SharedSecret.nonce();
    send(ours, secret.prove(GATE, theirs, ours));
    return secret.isProof(read(SharedSecret.BYTES), RANK, theirs, ours);
  }

  /** The gate's last word. */
  void ready() throws IOException {
    send(new byte[] {READY});
    socket.setSoTimeout(0);
  }

  /**
   * The side of whoever comes; returns when the gate is ready.
   *
   * @return false if it is not the gate of this run
   */
  boolean isAdmitted() throws IOException {
    byte[] ours = SharedSecret.nonce();
    send(ours);
    byte[] theirs = read(SharedSecret.BYTES);
    if (!secret.isProof(read(SharedSecret.BYTES), GATE, ours, theirs)) {
      return false;
    }
    send(secret.prove(RANK, ours, theirs));
    byte[] answer = read(1);
    socket.setSoTimeout(0);
    return answer[0] == READY;
  }

  private void send(byte[]... parts) throws IOException {
    int length = Arrays.stream(parts).mapToInt(part -> part.length).sum();
    byte[] message = new byte[length];
    int at = 0;
    for (byte[] part : parts) {
      System.arraycopy(part, 0, message, at, part.length);
      at += part.length;
    }
    socket.getOutputStream().write(message);
  }

  private byte[] read(int length) throws IOException {
    byte[] bytes = new byte[length];
    for (int at = 0; at < length; ) {
      // for the whole of it: one byte at a time buys no time
      long left = (deadline - System.nanoTime()) / 1_000_000;
      if (left <= 0) {
        throw new SocketTimeoutException("it did not answer in time");
      }
      socket.setSoTimeout((int) Math.min(left, Integer.MAX_VALUE));
      int read = socket.getInputStream().read(bytes, at, length - at);
      if (read < 0) {
        throw new EOFException("it closed the connection");
      }
      at += read;
    }
    return bytes;
  }
}
