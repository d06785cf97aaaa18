package dev.anneal.data.source;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** The lines of a stream as bytes, those that begin before a given place. */
final class LineReader implements Closeable {
  /** Longer lines are cut, so that a file without line ends cannot fill the memory. */
  static final int MAX_LINE_BYTES = 64 << 20;

  private static final char REPLACEMENT = '\uFFFD';

  private final InputStream in;
  private final long end;
  private final byte[] chunk = new byte[1 << 16];
  private int chunkStart;
  private int chunkEnd;
  private long position;
  private byte[] line = new byte[1 << 12];
  private int length;
  private boolean cut;
  private boolean carriageReturn;

  /**
   * Reads from the stream's place on.
   *
   * @param position of the stream's next byte in the file
   * @param end lines that begin here or later are not read
   */
  LineReader(InputStream in, long position, long end) {
    this.in = in;
    this.position = position;
    this.end = end;
  }

  /** Goes to the next line; false behind the last one. */
  boolean next() throws IOException {
    length = 0;
    cut = false;
    if (position >= end || !fill()) {
      return false;
    }
    do {
      int newline = indexOfNewline();
      int stop = newline < 0 ? chunkEnd : newline;
      append(chunkStart, stop);
      int next = newline < 0 ? chunkEnd : newline + 1;
      position += next - chunkStart;
      chunkStart = next;
      if (newline >= 0) {
        break;
      }
    } while (fill());
    carriageReturn = length > 0 && line[length - 1] == '\r';
    if (carriageReturn) {
      length--;
    }
    return true;
  }

  /** What stands behind the line. */
  String end() {
    return carriageReturn ? "\r\n" : "\n";
  }

  /** Whether the line holds nothing but blanks. */
  boolean isBlank() {
    for (int i = 0; i < length; i++) {
      if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') {
        return false;
      }
    }
    return true;
  }

  /** Whether the line was longer than {@link #MAX_LINE_BYTES}. */
  boolean isCut() {
    return cut;
  }

  /** The line's text; what is not UTF-8 becomes the replacement character. */
  String text() {
    return new String(line, 0, length, StandardCharsets.UTF_8);
  }

  /** Whether the line is UTF-8 as it should be; {@code text} is what {@link #text} gave. */
  boolean isUtf8(String text) {
    if (text.indexOf(REPLACEMENT) < 0) {
      return true;
    }
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(line, 0, length));
      return true;
    } catch (CharacterCodingException e) {
      return false;
    }
  }

  @Override
  public void close() throws IOException {
    in.close();
  }

  private boolean fill() throws IOException {
    if (chunkStart < chunkEnd) {
      return true;
    }
    chunkStart = 0;
    chunkEnd = Math.max(0, in.read(chunk, 0, chunk.length));
    return chunkEnd > 0;
  }

  private int indexOfNewline() {
    for (int i = chunkStart; i < chunkEnd; i++) {
      if (chunk[i] == '\n') {
        return i;
      }
    }
    return -1;
  }

  private void append(int from, int to) {
    int taken = Math.min(to - from, MAX_LINE_BYTES - length);
    cut = cut || taken < to - from;
    if (length + taken > line.length) {
      int grown = Math.min(MAX_LINE_BYTES, 2 * line.length);
      line = Arrays.copyOf(line, Math.max(length + taken, grown));
    }
    System.arraycopy(chunk, from, line, length, taken);
    length += taken;
  }
}
