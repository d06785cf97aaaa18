package dev.anneal.data.source;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.LogicalTypeAnnotation.ListLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.MapLogicalTypeAnnotation;
import org.apache.parquet.schema.Type;

/** A record of Parquet as JSON; lists and maps without the levels that only Parquet needs. */
final class ParquetJson {
  private ParquetJson() {}

  static void write(JsonGenerator out, Group group) throws IOException {
    out.writeStartObject();
    for (Type field : group.getType().getFields()) {
      out.writeFieldName(field.getName());
      int index = group.getType().getFieldIndex(field.getName());
      if (field.isRepetition(Type.Repetition.REPEATED)) {
        writeRepeated(out, group, index);
      } else {
        writeOptional(out, group, index);
      }
    }
    out.writeEndObject();
  }

  private static void writeRepeated(JsonGenerator out, Group group, int field) throws IOException {
    out.writeStartArray();
    for (int i = 0; i < group.getFieldRepetitionCount(field); i++) {
      writeValue(out, group, field, i);
    }
    out.writeEndArray();
  }

  private static void writeOptional(JsonGenerator out, Group group, int field) throws IOException {
    if (group.getFieldRepetitionCount(field) == 0) {
      out.writeNull();
    } else {
      writeValue(out, group, field, 0);
    }
  }

  private static void writeValue(JsonGenerator out, Group group, int field, int i)
      throws IOException {
    Type type = group.getType().getType(field);
    if (type.isPrimitive()) {
      ParquetValues.write(out, group, field, i);
    } else if (type.getLogicalTypeAnnotation() instanceof ListLogicalTypeAnnotation) {
      writeList(out, group.getGroup(field, i));
    } else if (type.getLogicalTypeAnnotation() instanceof MapLogicalTypeAnnotation) {
      writeMap(out, group.getGroup(field, i));
    } else {
      write(out, group.getGroup(field, i));
    }
  }

  private static void writeList(JsonGenerator out, Group list) throws IOException {
    Type repeated = list.getType().getType(0);
    if (!isWrapper(repeated)) {
      writeRepeated(out, list, 0);
      return;
    }
    out.writeStartArray();
    for (int i = 0; i < list.getFieldRepetitionCount(0); i++) {
      writeOptional(out, list.getGroup(0, i), 0);
    }
    out.writeEndArray();
  }

  // Old writers repeat the element itself: parquet-format's rules for backward compatibility.
  private static boolean isWrapper(Type repeated) {
    if (repeated.isPrimitive()) {
      return false;
    }
    GroupType group = repeated.asGroupType();
    return group.getFieldCount() == 1
        && !group.getName().equals("array")
        && !group.getName().endsWith("_tuple");
  }

  private static void writeMap(JsonGenerator out, Group map) throws IOException {
    out.writeStartObject();
    for (int i = 0; i < map.getFieldRepetitionCount(0); i++) {
      Group entry = map.getGroup(0, i);
      out.writeFieldName(entry.getValueToString(0, 0));
      writeOptional(out, entry, 1);
    }
    out.writeEndObject();
  }
}
