package dev.anneal.data.source;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.math.BigInteger;
import java.util.concurrent.TimeUnit;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.NanoTime;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.DateLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.DecimalLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.IntLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimeLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimestampLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.UUIDLogicalTypeAnnotation;
import org.apache.parquet.schema.PrimitiveType;

/** Values of Parquet, which are what their annotation says and not how they are stored. */
final class ParquetValues {
  /** Julian day of 1970-01-01, which INT96 counts from. */
  private static final long EPOCH_DAY = 2_440_588;

  private ParquetValues() {}

  /** Writes the {@code i}-th value of a primitive field. */
  static void write(JsonGenerator out, Group group, int field, int i) throws IOException {
    PrimitiveType type = group.getType().getType(field).asPrimitiveType();
    LogicalTypeAnnotation meaning = type.getLogicalTypeAnnotation();
    if (meaning instanceof DecimalLogicalTypeAnnotation decimal) {
      out.writeString(PythonText.decimal(unscaled(type, group, field, i), decimal.getScale()));
      return;
    }
    switch (type.getPrimitiveTypeName()) {
      case BINARY -> out.writeString(JsonRows.decode(group.getBinary(field, i).toByteBuffer()));
      case INT32 -> writeInteger(out, meaning, group.getInteger(field, i), 0xffff_ffffL);
      case INT64 -> writeInteger(out, meaning, group.getLong(field, i), -1);
      case BOOLEAN -> out.writeBoolean(group.getBoolean(field, i));
      case FLOAT -> out.writeNumber((double) group.getFloat(field, i));
      case DOUBLE -> out.writeNumber(group.getDouble(field, i));
      case INT96 -> out.writeString(timestamp(NanoTime.fromBinary(group.getInt96(field, i))));
      case FIXED_LEN_BYTE_ARRAY -> writeFixed(out, type, group, field, i);
    }
  }

  private static BigInteger unscaled(PrimitiveType type, Group group, int field, int i) {
    return switch (type.getPrimitiveTypeName()) {
      case INT32 -> BigInteger.valueOf(group.getInteger(field, i));
      case INT64 -> BigInteger.valueOf(group.getLong(field, i));
      default -> new BigInteger(group.getBinary(field, i).getBytes());
    };
  }

  /**
   * Writes what is stored as an integer.
   *
   * @param bits that the integer has
   */
  private static void writeInteger(
      JsonGenerator out, LogicalTypeAnnotation meaning, long value, long bits) throws IOException {
    if (meaning instanceof DateLogicalTypeAnnotation) {
      out.writeString(PythonText.date(value));
    } else if (meaning instanceof TimeLogicalTypeAnnotation time) {
      out.writeString(PythonText.time(value, unit(time.getUnit())));
    } else if (meaning instanceof TimestampLogicalTypeAnnotation moment) {
      String zone = moment.isAdjustedToUTC() ? "UTC" : null;
      out.writeString(PythonText.timestamp(value, unit(moment.getUnit()), zone));
    } else if (meaning instanceof IntLogicalTypeAnnotation integer && !integer.isSigned()) {
      out.writeNumber(new BigInteger(Long.toUnsignedString(value & bits)));
    } else {
      out.writeNumber(value);
    }
  }

  private static TimeUnit unit(LogicalTypeAnnotation.TimeUnit unit) {
    return switch (unit) {
      case MILLIS -> TimeUnit.MILLISECONDS;
      case MICROS -> TimeUnit.MICROSECONDS;
      case NANOS -> TimeUnit.NANOSECONDS;
    };
  }

  private static String timestamp(NanoTime time) {
    long nanos = TimeUnit.DAYS.toNanos(time.getJulianDay() - EPOCH_DAY) + time.getTimeOfDayNanos();
    return PythonText.timestamp(nanos, TimeUnit.NANOSECONDS, null);
  }

  private static void writeFixed(
      JsonGenerator out, PrimitiveType type, Group group, int field, int i) throws IOException {
    LogicalTypeAnnotation meaning = type.getLogicalTypeAnnotation();
    // the Parquet of Spark 3.5 has no class for it
    if (meaning != null && meaning.toString().equals("FLOAT16")) {
      String half = type.stringifier().stringify(group.getBinary(field, i));
      out.writeNumber((double) Float.parseFloat(half));
    } else if (meaning instanceof UUIDLogicalTypeAnnotation) {
      out.writeString(type.stringifier().stringify(group.getBinary(field, i)));
    } else {
      out.writeString(JsonRows.decode(group.getBinary(field, i).toByteBuffer()));
    }
  }
}
