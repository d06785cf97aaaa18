package dev.anneal.data.source;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.VarBinaryVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.StructVector;
import org.apache.arrow.vector.dictionary.Dictionary;
import org.apache.arrow.vector.dictionary.DictionaryProvider.MapDictionaryProvider;
import org.apache.arrow.vector.ipc.ArrowFileWriter;
import org.apache.arrow.vector.ipc.ArrowStreamWriter;
import org.apache.arrow.vector.ipc.ArrowWriter;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.DictionaryEncoding;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;
import org.apache.arrow.vector.types.pojo.Schema;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Dictionaries of Arrow wherever they stand: in a column, in a list, in a struct of a list. */
class NestedDictionaryTest {
  private static final ArrowType INT = new ArrowType.Int(32, true);

  @TempDir Path dir;

  @ParameterizedTest
  @ValueSource(strings = {"file", "stream"})
  void readsTheirValues(String form) throws Exception {
    Path path = dir.resolve("rows.arrow");
    write(path, form);
    assertThat(rows(path))
        .containsExactly(
            "{\"top\":\"assistant\",\"roles\":[\"user\",\"assistant\",null],"
                + "\"turns\":[{\"role\":\"user\"},{\"role\":\"assistant\"}],\"bytes\":\"é\"}");
  }

  private static void write(Path path, String form) throws Exception {
    DictionaryEncoding encoding = new DictionaryEncoding(7, false, null);
    FieldType encoded = new FieldType(true, INT, encoding);
    Field turn =
        new Field(
            "element",
            FieldType.nullable(new ArrowType.Struct()),
            List.of(new Field("role", encoded, null)));
    Schema schema =
        new Schema(
            List.of(
                new Field("top", encoded, null),
                list("roles", new Field("element", encoded, null)),
                list("turns", turn),
                Field.nullable("bytes", new ArrowType.Binary())));
    try (BufferAllocator allocator = new RootAllocator();
        VarCharVector values = new VarCharVector("values", allocator);
        VectorSchemaRoot root = VectorSchemaRoot.create(schema, allocator);
        OutputStream out = Files.newOutputStream(path)) {
      values.setSafe(0, "user".getBytes(UTF_8));
      values.setSafe(1, "assistant".getBytes(UTF_8));
      values.setValueCount(2);
      MapDictionaryProvider provider = new MapDictionaryProvider(new Dictionary(values, encoding));
      ((IntVector) root.getVector("top")).setSafe(0, 1);
      ListVector roles = (ListVector) root.getVector("roles");
      IntVector role = (IntVector) roles.getDataVector();
      roles.startNewValue(0);
      role.setSafe(0, 0);
      role.setSafe(1, 1);
      role.setNull(2);
      roles.endValue(0, 3);
      ListVector turns = (ListVector) root.getVector("turns");
      StructVector struct = (StructVector) turns.getDataVector();
      turns.startNewValue(0);
      for (int i = 0; i < 2; i++) {
        struct.setIndexDefined(i);
        ((IntVector) struct.getChild("role")).setSafe(i, i);
      }
      turns.endValue(0, 2);
      ((VarBinaryVector) root.getVector("bytes")).setSafe(0, "é".getBytes(UTF_8));
      root.setRowCount(1);
      try (ArrowWriter writer =
          form.equals("file")
              ? new ArrowFileWriter(root, provider, Channels.newChannel(out))
              : new ArrowStreamWriter(root, provider, out)) {
        writer.writeBatch();
      }
    }
  }

  private static Field list(String name, Field element) {
    return new Field(name, FieldType.nullable(new ArrowType.List()), List.of(element));
  }

  private static List<String> rows(Path path) throws Exception {
    Storage storage = new Storage(new Configuration());
    List<String> rows = new ArrayList<>();
    for (FileRange range : FileRange.of(new FileInfo(path.toString(), Files.size(path)), storage)) {
      try (RowReader reader = RowReader.open(range, storage)) {
        reader.forEachRemaining(row -> rows.add(row.json()));
      }
    }
    return rows;
  }
}
