package dev.anneal.data.source;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.apache.arrow.vector.BaseIntVector;
import org.apache.arrow.vector.BitVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.FloatingPointVector;
import org.apache.arrow.vector.LargeVarCharVector;
import org.apache.arrow.vector.ValueVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.ViewVarCharVector;
import org.apache.arrow.vector.complex.FixedSizeListVector;
import org.apache.arrow.vector.complex.LargeListVector;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.MapVector;
import org.apache.arrow.vector.complex.StructVector;

/** A row of Arrow vectors as JSON. */
final class ArrowJson {
  private ArrowJson() {}

  /**
   * Writes an object with a field for each column.
   *
   * @param names of the columns, which vectors that were decoded do not know
   */
  static void write(JsonGenerator out, List<String> names, List<FieldVector> columns, int row)
      throws IOException {
    out.writeStartObject();
    for (int i = 0; i < columns.size(); i++) {
      out.writeFieldName(names.get(i));
      writeValue(out, columns.get(i), row);
    }
    out.writeEndObject();
  }

  private static void writeStruct(JsonGenerator out, StructVector struct, int row)
      throws IOException {
    write(out, struct.getChildFieldNames(), struct.getChildrenFromFields(), row);
  }

  private static void writeValue(JsonGenerator out, ValueVector vector, int row)
      throws IOException {
    if (vector.isNull(row)) {
      out.writeNull();
    } else if (vector instanceof VarCharVector text) {
      writeText(out, text.get(row));
    } else if (vector instanceof LargeVarCharVector text) {
      writeText(out, text.get(row));
    } else if (vector instanceof ViewVarCharVector text) {
      writeText(out, text.get(row));
    } else if (vector instanceof BitVector bits) {
      out.writeBoolean(bits.get(row) == 1);
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

  private static void writeListOrOther(JsonGenerator out, ValueVector vector, int row)
      throws IOException {
    if (vector instanceof ListVector list) {
      int start = list.getElementStartIndex(row);
      writeElements(out, list.getDataVector(), start, list.getElementEndIndex(row));
    } else if (vector instanceof LargeListVector list) {
      long start = list.getElementStartIndex(row);
      writeElements(out, list.getDataVector(), start, list.getElementEndIndex(row));
    } else if (vector instanceof FixedSizeListVector list) {
      int start = list.getElementStartIndex(row);
      writeElements(out, list.getDataVector(), start, list.getElementEndIndex(row));
    } else {
      out.writeString(vector.getObject(row).toString());
    }
  }

  private static void writeElements(JsonGenerator out, FieldVector elements, long start, long end)
      throws IOException {
    out.writeStartArray();
    for (long i = start; i < end; i++) {
      writeValue(out, elements, Math.toIntExact(i));
    }
    out.writeEndArray();
  }

  private static void writeMap(JsonGenerator out, MapVector map, int row) throws IOException {
    StructVector entries = (StructVector) map.getDataVector();
    List<FieldVector> keyAndValue = entries.getChildrenFromFields();
    out.writeStartObject();
    for (int i = map.getElementStartIndex(row); i < map.getElementEndIndex(row); i++) {
      out.writeFieldName(String.valueOf(keyAndValue.get(0).getObject(i)));
      writeValue(out, keyAndValue.get(1), i);
    }
    out.writeEndObject();
  }

  private static void writeText(JsonGenerator out, byte[] utf8) throws IOException {
    out.writeString(JsonRows.decode(ByteBuffer.wrap(utf8)));
  }
}
