package dev.anneal.spark.fetch;

import dev.anneal.storage.Futures;
import dev.anneal.storage.MultipartUpload;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Future;

/** Cuts what comes into parts, and sends one while the next one comes: two are in memory. */
final class PartSender {
  private final MultipartUpload target;
  private final FetchWork.Upload work;
  private final Map<Integer, byte[]> sent = new TreeMap<>();
  private byte[] filling;
  private byte[] sending;
  private int filled;
  private int part;
  private Future<byte[]> underWay;

  PartSender(MultipartUpload target, FetchWork.Upload work) {
    this.target = target;
    this.work = work;
    this.part = work.first();
    this.filling = new byte[(int) work.partBytes()];
    this.sending = new byte[work.parts() == 1 ? 0 : filling.length];
  }

  void write(byte[] bytes, int length, long position) throws IOException {
    int given = 0;
    while (given < length) {
      int wanted = (int) (work.end(part) - work.start(part));
      int count = Math.min(length - given, wanted - filled);
      System.arraycopy(bytes, given, filling, filled, count);
      given += count;
      filled += count;
      if (filled == wanted) {
        send();
      }
    }
  }

  private void send() throws IOException {
    awaitLast();
    underWay = target.put(work.upload(), part, work.isLast(part), filling, filled);
    byte[] free = sending;
    sending = filling;
    filling = free;
    filled = 0;
    part++;
  }

  private void awaitLast() throws IOException {
    if (underWay != null) {
      sent.put(part - 1, Futures.await(underWay));
      underWay = null;
    }
  }

  /** Waits for the last part; what tells each of them. */
  Map<Integer, byte[]> finish() throws IOException {
    awaitLast();
    return sent;
  }
}
