package dev.anneal.data.source;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.vector.BaseIntVector;
import org.apache.arrow.vector.BaseLargeVariableWidthVector;
import org.apache.arrow.vector.BaseVariableWidthVector;
import org.apache.arrow.vector.BaseVariableWidthViewVector;
import org.apache.arrow.vector.BitVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.FloatingPointVector;
import org.apache.arrow.vector.LargeVarCharVector;
import org.apache.arrow.vector.UInt8Vector;
import org.apache.arrow.vector.ValueVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.ViewVarCharVector;
import org.apache.arrow.vector.complex.FixedSizeListVector;
import org.apache.arrow.vector.complex.LargeListVector;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.MapVector;
import org.apache.arrow.vector.complex.StructVector;
import org.apache.arrow.vector.dictionary.Dictionary;
import org.apache.arrow.vector.types.pojo.DictionaryEncoding;

/** A row of Arrow vectors as JSON. */
final class ArrowJson {
  private final Map<Long, Dictionary> dictionaries;

  /**
   * Makes a writer.
   *
   * @param dictionaries by their ids, which encoded vectors at any depth name
   */
  ArrowJson(Map<Long, Dictionary> dictionaries) {
    this.dictionaries = dictionaries;
  }

  /**
   * Writes an object with a field for each column.
   *
   * @param names of the columns
   */
  void write(JsonGenerator out, List<String> names, List<FieldVector> columns, int row)
      throws IOException {
    out.writeStartObject();
    for (int i = 0; i < columns.size(); i++) {
      out.writeFieldName(names.get(i));
      writeValue(out, columns.get(i), row);
    }
    out.writeEndObject();
  }

  private void writeStruct(JsonGenerator out, StructVector struct, int row) throws IOException {
    write(out, struct.getChildFieldNames(), struct.getChildrenFromFields(), row);
  }

  private void writeValue(JsonGenerator out, ValueVector vector, int row) throws IOException {
    if (vector.isNull(row)) {
      out.writeNull();
      return;
    }
    requireInside(vector, row);
    if (vector.getField().getDictionary() != null) {
      writeEncoded(out, vector, row);
    } else if (vector instanceof VarCharVector text) {
      writeText(out, text.get(row));
    } else if (vector instanceof LargeVarCharVector text) {
      writeText(out, text.get(row));
    } else if (vector instanceof ViewVarCharVector text) {
      writeText(out, text.get(row));
    } else if (vector instanceof BitVector bits) {
      out.writeBoolean(bits.get(row) == 1);
    } else if (vector instanceof UInt8Vector unsigned) {
      out.writeNumber(unsigned.getObjectNoOverflow(row));
    } else if (vector instanceof BaseIntVector integers) {
      out.writeNumber(integers.getValueAsLong(row));
    } else if (vector instanceof FloatingPointVector floats) {
      out.writeNumber(floats.getValueAsDouble(row));
    } else if (vector instanceof StructVector struct) {
      writeStruct(out, struct, row);
    } else if (vector instanceof MapVector map) {
      writeMap(out, map, row);
    } else {
      writeListOrOther(out, vector, row);
    }
  }

  /** Before memory is asked for: a value that is longer than the buffer that holds it is broken. */
  private static void requireInside(ValueVector vector, int row) throws IOException {
    long start = 0;
    long end = 0;
    long bytes = 0;
    if (vector instanceof BaseVariableWidthVector values) {
      start = values.getOffsetBuffer().getInt(row * 4L);
      end = values.getOffsetBuffer().getInt((row + 1) * 4L);
      bytes = values.getDataBuffer().capacity();
    } else if (vector instanceof BaseLargeVariableWidthVector values) {
      start = values.getOffsetBuffer().getLong(row * 8L);
      end = values.getOffsetBuffer().getLong((row + 1) * 8L);
      bytes = values.getDataBuffer().capacity();
    } else if (vector instanceof BaseVariableWidthViewVector values) {
      end = values.getValueLength(row);
      bytes = BaseVariableWidthViewVector.INLINE_SIZE;
      for (ArrowBuf buffer : values.getDataBuffers()) {
        bytes = Math.max(bytes, buffer.capacity());
      }
    }
    if (start < 0 || start > end || end > bytes) {
      throw new IOException("a value is longer than its buffer");
    }
  }

  private void writeEncoded(JsonGenerator out, ValueVector vector, int row) throws IOException {
    Dictionary dictionary = dictionaries.get(vector.getField().getDictionary().getId());
    long index = ((BaseIntVector) vector).getValueAsLong(row);
    if (dictionary == null || index < 0 || index >= dictionary.getVector().getValueCount()) {
      throw new IOException("an index points outside its dictionary");
    }
    writeValue(out, dictionary.getVector(), (int) index);
  }

  private void writeListOrOther(JsonGenerator out, ValueVector vector, int row) throws IOException {
    if (vector instanceof ListVector list) {
      int start = list.getElementStartIndex(row);
      writeElements(out, list.getDataVector(), start, list.getElementEndIndex(row));
    } else if (vector instanceof LargeListVector list) {
      long start = list.getElementStartIndex(row);
      writeElements(out, list.getDataVector(), start, list.getElementEndIndex(row));
    } else if (vector instanceof FixedSizeListVector list) {
      int start = list.getElementStartIndex(row);
      writeElements(out, list.getDataVector(), start, list.getElementEndIndex(row));
    } else if (vector.getObject(row) instanceof byte[] bytes) {
      writeText(out, bytes);
    } else {
      out.writeString(ArrowText.of(vector, row));
    }
  }

  private void writeElements(JsonGenerator out, FieldVector elements, long start, long end)
      throws IOException {
    out.writeStartArray();
    for (long i = start; i < end; i++) {
      writeValue(out, elements, Math.toIntExact(i));
    }
    out.writeEndArray();
  }

  private void writeMap(JsonGenerator out, MapVector map, int row) throws IOException {
    StructVector entries = (StructVector) map.getDataVector();
    List<FieldVector> keyAndValue = entries.getChildrenFromFields();
    out.writeStartObject();
    for (int i = map.getElementStartIndex(row); i < map.getElementEndIndex(row); i++) {
      out.writeFieldName(key(keyAndValue.get(0), i));
      writeValue(out, keyAndValue.get(1), i);
    }
    out.writeEndObject();
  }

  private String key(FieldVector keys, int row) {
    DictionaryEncoding encoding = keys.getField().getDictionary();
    return encoding == null
        ? String.valueOf(keys.getObject(row))
        : String.valueOf(
            dictionaries
                .get(encoding.getId())
                .getVector()
                .getObject((int) ((BaseIntVector) keys).getValueAsLong(row)));
  }

  private static void writeText(JsonGenerator out, byte[] utf8) throws IOException {
    out.writeString(JsonRows.decode(ByteBuffer.wrap(utf8)));
  }
}
