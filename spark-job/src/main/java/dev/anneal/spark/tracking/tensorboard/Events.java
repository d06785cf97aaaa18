package dev.anneal.spark.tracking.tensorboard;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.Optional;

/**
 * TensorFlow's {@code Event} messages ({@code tensorflow/core/util/event.proto} and {@code
 * framework/summary.proto}), those of them that curves need.
 */
final class Events {
  /** The only version of the files that TensorBoard takes restarts from. */
  private static final String VERSION = "brain.Event:2";

  private static final int WALL_TIME = 1;
  private static final int STEP = 2;
  private static final int FILE_VERSION = 3;
  private static final int SUMMARY = 5;
  private static final int SESSION_LOG = 7;

  private static final int SUMMARY_VALUE = 1;
  private static final int VALUE_TAG = 1;
  private static final int VALUE_SIMPLE = 2;
  private static final int VALUE_TENSOR = 8;
  private static final int VALUE_METADATA = 9;

  private static final int SESSION_STATUS = 1;
  private static final int START = 1;

  private static final int TENSOR_DTYPE = 1;
  private static final int TENSOR_SHAPE = 2;
  private static final int TENSOR_STRING = 8;
  private static final int STRING = 7;

  private static final double MILLIS = 1000.0;

  private Events() {}

  /** The first of a file. */
  static byte[] version(long millis) {
    return event(millis).text(FILE_VERSION, VERSION).toBytes();
  }

  /** Says that a run begins with a step: of what was before, that and all after it is void. */
  static byte[] start(long millis, long step) {
    return event(millis)
        .varint(STEP, step)
        .message(SESSION_LOG, new ProtoWriter().varint(SESSION_STATUS, START))
        .toBytes();
  }

  /** Numbers by tag, measured after a step. */
  static byte[] scalars(long millis, long step, Map<String, Double> values) {
    ProtoWriter summary = new ProtoWriter();
    values.forEach(
        (tag, value) ->
            summary.message(
                SUMMARY_VALUE,
                new ProtoWriter().text(VALUE_TAG, tag).fixed32(VALUE_SIMPLE, value.floatValue())));
    return event(millis).varint(STEP, step).message(SUMMARY, summary).toBytes();
  }

  /** A text in Markdown. */
  static byte[] text(long millis, String tag, String markdown) {
    ProtoWriter plugin = new ProtoWriter().text(1, "text");
    ProtoWriter tensor =
        new ProtoWriter()
            .varint(TENSOR_DTYPE, STRING)
            .message(TENSOR_SHAPE, new ProtoWriter())
            .text(TENSOR_STRING, markdown);
    ProtoWriter value =
        new ProtoWriter()
            .text(VALUE_TAG, tag)
            .message(VALUE_TENSOR, tensor)
            .message(VALUE_METADATA, new ProtoWriter().message(1, plugin));
    return event(millis)
        .message(SUMMARY, new ProtoWriter().message(SUMMARY_VALUE, value))
        .toBytes();
  }

  private static ProtoWriter event(long millis) {
    return new ProtoWriter().fixed64(WALL_TIME, millis / MILLIS);
  }

  /**
   * What is known of an event of numbers.
   *
   * @param tag of the first number
   */
  record Read(long millis, long step, String tag) {}

  /** Reads an event back; empty if it has no numbers or is none of ours. */
  static Optional<Read> read(byte[] event) {
    double seconds = 0;
    long step = 0;
    String tag = null;
    ByteBuffer in = ByteBuffer.wrap(event).order(ByteOrder.LITTLE_ENDIAN);
    try {
      while (in.hasRemaining()) {
        long key = varint(in);
        int field = (int) (key >>> 3);
        switch ((int) (key & 7)) {
          case ProtoWriter.VARINT -> {
            long value = varint(in);
            step = field == STEP ? value : step;
          }
          case ProtoWriter.FIXED64 -> {
            double value = in.getDouble();
            seconds = field == WALL_TIME ? value : seconds;
          }
          case ProtoWriter.LENGTH -> {
            ByteBuffer value = sub(in);
            tag = field == SUMMARY ? firstTag(value) : tag;
          }
          default -> {
            return Optional.empty();
          }
        }
      }
    } catch (BufferUnderflowException | IllegalArgumentException e) {
      return Optional.empty();
    }
    return tag == null
        ? Optional.empty()
        : Optional.of(new Read(Math.round(seconds * MILLIS), step, tag));
  }

  /** Of the first value, whose tag comes first. */
  private static String firstTag(ByteBuffer summary) {
    if (varint(summary) != tag(SUMMARY_VALUE)) {
      return null;
    }
    ByteBuffer value = sub(summary);
    if (varint(value) != tag(VALUE_TAG)) {
      return null;
    }
    return UTF_8.decode(sub(value)).toString();
  }

  /** How a field with a length begins. */
  private static long tag(int field) {
    return ((long) field << 3) | ProtoWriter.LENGTH;
  }

  private static ByteBuffer sub(ByteBuffer in) {
    int length = Math.toIntExact(Math.min(varint(in), Integer.MAX_VALUE));
    ByteBuffer sub = in.slice().order(ByteOrder.LITTLE_ENDIAN).limit(length);
    in.position(in.position() + length);
    return sub;
  }

  private static long varint(ByteBuffer in) {
    long value = 0;
    for (int shift = 0; shift < Long.SIZE; shift += 7) {
      byte part = in.get();
      value |= (part & 0x7fL) << shift;
      if (part >= 0) {
        return value;
      }
    }
    throw new IllegalArgumentException("a number of more than 64 bits");
  }
}
