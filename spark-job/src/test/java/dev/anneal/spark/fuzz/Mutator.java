package dev.anneal.spark.fuzz;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Makes broken inputs out of good ones; the same ones for the same seed. */
final class Mutator {
  private static final int MAX_BYTES = 1 << 20;
  private static final List<String> NUMBERS =
      List.of(
          "0",
          "-1",
          "1",
          "-0",
          "1e999",
          "0.1",
          "2147483647",
          "2147483648",
          "-2147483649",
          "9223372036854775807",
          "9223372036854775808",
          "-9223372036854775808",
          "1e-999",
          "NaN",
          "18446744073709551615",
          "99999999999999999999999999999999",
          "\"7\"",
          "null",
          "true");
  private static final List<String> TEXTS =
      List.of(
          "\u0000",
          "\uffff",
          "\ud83d\ude00",
          "\u202e",
          "../../etc/passwd",
          "..\\..",
          "\\u0000",
          "\\ud800",
          "%s%n",
          "\"",
          "'",
          "{",
          "}",
          "[",
          "]",
          ":",
          ",",
          "\n",
          "{}",
          "[]",
          "\t");
  private static final long[] EXTREMES = {
    0,
    1,
    -1,
    7,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    Integer.MAX_VALUE,
    Integer.MIN_VALUE,
    0xffffffffL,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    1L << 40
  };

  private final Random random;
  private final List<byte[]> seeds;
  private final List<String> words;

  /**
   * @param words of the language of the seeds
   */
  Mutator(long seed, List<byte[]> seeds, List<String> words) {
    this.random = new Random(seed);
    this.seeds = seeds;
    this.words = words;
  }

  byte[] next() {
    byte[] bytes = seeds.get(random.nextInt(seeds.size()));
    int changes = 1 + random.nextInt(1 + random.nextInt(6));
    for (int i = 0; i < changes; i++) {
      bytes = change(bytes);
    }
    return bytes.length > MAX_BYTES ? Arrays.copyOf(bytes, MAX_BYTES) : bytes;
  }

  private byte[] change(byte[] bytes) {
    int at = random.nextInt(bytes.length + 1);
    return switch (random.nextInt(12)) {
      case 0 -> flip(bytes);
      case 1 -> Arrays.copyOf(bytes, at);
      case 2 -> splice(bytes, at, length(bytes.length - at), new byte[0]);
      case 3 -> splice(bytes, at, 0, slice(bytes));
      case 4 -> splice(bytes, at, length(64), slice(seeds.get(random.nextInt(seeds.size()))));
      case 5 -> extreme(bytes);
      case 6 -> number(bytes);
      case 7 -> nested(bytes, at);
      case 8 -> insert(bytes, at, TEXTS);
      case 9, 10 -> insert(bytes, at, words);
      default -> repeated(bytes, at);
    };
  }

  private byte[] flip(byte[] bytes) {
    byte[] flipped = bytes.clone();
    for (int i = 0; i < 1 + random.nextInt(4) && flipped.length > 0; i++) {
      int at = random.nextInt(flipped.length);
      flipped[at] =
          random.nextBoolean()
              ? (byte) (flipped[at] ^ (1 << random.nextInt(8)))
              : (byte) random.nextInt();
    }
    return flipped;
  }

  /** A little-endian number of 1, 2, 4 or 8 bytes. */
  private byte[] extreme(byte[] bytes) {
    int width = 1 << random.nextInt(4);
    if (bytes.length < width) {
      return bytes;
    }
    byte[] changed = bytes.clone();
    // numbers stand at places that their size divides
    int at = random.nextInt((bytes.length - width) / width + 1) * width;
    long value = EXTREMES[random.nextInt(EXTREMES.length)];
    for (int i = 0; i < width; i++) {
      changed[at + i] = (byte) (value >> (8 * i));
    }
    return changed;
  }

  /** Another number in the place of one that is written in digits. */
  private byte[] number(byte[] bytes) {
    int from = random.nextInt(bytes.length + 1);
    while (from < bytes.length && !isDigit(bytes[from])) {
      from++;
    }
    int end = from;
    while (end < bytes.length && isDigit(bytes[end])) {
      end++;
    }
    String number = NUMBERS.get(random.nextInt(NUMBERS.size()));
    return splice(bytes, from, end - from, number.getBytes(StandardCharsets.UTF_8));
  }

  private static boolean isDigit(byte b) {
    return b >= '0' && b <= '9';
  }

  private byte[] nested(byte[] bytes, int at) {
    List<String> opening = List.of("[", "{\"a\":", "(", "{", "- ", "[[", "((");
    String open = opening.get(random.nextInt(opening.size()));
    int depth = 1 << random.nextInt(14);
    return splice(bytes, at, 0, open.repeat(depth).getBytes(StandardCharsets.UTF_8));
  }

  private byte[] insert(byte[] bytes, int at, List<String> texts) {
    String text = texts.get(random.nextInt(texts.size()));
    return splice(bytes, at, length(4), text.getBytes(StandardCharsets.UTF_8));
  }

  private byte[] repeated(byte[] bytes, int at) {
    byte[] piece = slice(bytes);
    ByteArrayOutputStream many = new ByteArrayOutputStream();
    for (int i = 0; i < (1 << random.nextInt(8)); i++) {
      many.writeBytes(piece);
    }
    return splice(bytes, at, 0, many.toByteArray());
  }

  private byte[] slice(byte[] bytes) {
    int from = random.nextInt(bytes.length + 1);
    return Arrays.copyOfRange(bytes, from, from + length(bytes.length - from));
  }

  /** Short more often than long. */
  private int length(int most) {
    return most == 0 ? 0 : random.nextInt(1 + random.nextInt(Math.min(most, 256)));
  }

  private static byte[] splice(byte[] bytes, int at, int dropped, byte[] inserted) {
    int rest = Math.min(at + dropped, bytes.length);
    ByteArrayOutputStream out = new ByteArrayOutputStream(bytes.length + inserted.length);
    out.write(bytes, 0, at);
    out.writeBytes(inserted);
    out.write(bytes, rest, bytes.length - rest);
    return out.toByteArray();
  }
}
