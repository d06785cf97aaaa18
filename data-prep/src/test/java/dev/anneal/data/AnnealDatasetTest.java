package dev.anneal.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.format.RowFormat;
import dev.anneal.data.prep.PrepFixture;
import dev.anneal.data.prep.PrepSpec;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.storage.Storage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AnnealDatasetTest {
  private static final Path TINY = Path.of(System.getProperty("anneal.home"), "conf/tiny/model");
  private static final String TURN = "<|start_header_id|>%s<|end_header_id|>\n\n%s<|eot_id|>";
  private static SparkSession spark;
  @TempDir Path dir;

  @BeforeAll
  static void start() {
    spark = PrepFixture.spark(2);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @Test
  void givesEveryRowWithItsTextAndWhatIsLearnedOfIt() throws Exception {
    PrepSpec spec = prepared();
    Dataset<Row> rows = AnnealDataset.read(spark, spec.output());

    assertThat(rows.schema()).isEqualTo(AnnealDataset.SCHEMA);
    assertThat(rows.groupBy("split").count().orderBy("split").collectAsList())
        .extracting(row -> row.getString(0) + " " + row.getLong(1))
        .containsExactly("eval 1", "train 3");
    Row chat = rows.where("text like '%three%'").first();
    assertThat(chat.getString(chat.fieldIndex("text")))
        .isEqualTo(
            "<|begin_of_text|>"
                + TURN.formatted("user", "one")
                + TURN.formatted("assistant", "two")
                + TURN.formatted("user", "three")
                + TURN.formatted("assistant", "four"));
    assertThat(chat.<String>getList(chat.fieldIndex("learned")))
        .containsExactly("two<|eot_id|>", "four<|eot_id|>");
    List<Row> spans = chat.getList(chat.fieldIndex("target_spans"));
    assertThat(spans.stream().mapToInt(span -> span.getInt(1) - span.getInt(0)).sum())
        .isEqualTo(chat.<Integer>getAs("target_tokens"));
    assertThat(chat.getList(chat.fieldIndex("input_ids"))).hasSize(chat.<Integer>getAs("tokens"));
    assertThat(rows.select("sequence", "row").where("split = 'train'").distinct().count())
        .isEqualTo(3);
  }

  @Test
  void readsTheFolderOfTheDataSetToo() throws Exception {
    assertThat(AnnealDataset.read(spark, prepared().datasetUri()).count()).isEqualTo(4);
  }

  @Test
  void readsRowsThatCameTokenizedWithoutText() throws Exception {
    Path source = dir.resolve("rows.jsonl");
    Files.writeString(source, "{\"input_ids\":[5,6,7],\"prompt_length\":1}\n");
    PrepSpec spec = PrepFixture.tokenized(source, dir.resolve("ids")).spec();
    PrepFixture.prepare(spark, spec);

    Row row = AnnealDataset.read(spark, spec.output()).first();
    assertThat(row.getList(row.fieldIndex("input_ids"))).isEqualTo(List.of(5, 6, 7));
    assertThat(row.isNullAt(row.fieldIndex("text"))).isTrue();
  }

  @Test
  void refusesAnotherTokenizer() throws Exception {
    PrepSpec spec = prepared();
    Path other = Files.createDirectory(dir.resolve("other"));
    Files.writeString(
        other.resolve("tokenizer.json"), Files.readString(TINY.resolve("tokenizer.json")) + "\n");

    assertThatThrownBy(() -> AnnealDataset.read(spark, spec.output(), other.toString()))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("prepared with another tokenizer than '" + other);
  }

  @Test
  void marksWhatIsLearned() throws Exception {
    PrepSpec spec = prepared();
    Storage storage = new Storage(new Configuration());
    try (ChatTokenizer tokenizer = ChatTokenizer.load(TINY.toString(), storage)) {
      assertThat(RowSamples.marked(spec.datasetUri(), 2, tokenizer, storage)).hasSize(2);
      assertThat(RowSamples.marked(spec.datasetUri(), 10, tokenizer, storage))
          .hasSize(3)
          .anyMatch(text -> text.contains("\n\n⟦two<|eot_id|>⟧<|start_header_id|>user"));
    }
  }

  private PrepSpec prepared() throws Exception {
    Path source = dir.resolve("chats.jsonl");
    Files.writeString(
        source,
        """
        {"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}
        {"messages":[{"role":"user","content":"one"},{"role":"assistant","content":"two"},\
        {"role":"user","content":"three"},{"role":"assistant","content":"four"}]}
        {"messages":[{"role":"user","content":"c"},{"role":"assistant","content":"d"}]}
        {"messages":[{"role":"user","content":"e"},{"role":"assistant","content":"f"}]}
        """);
    PrepSpec spec =
        PrepFixture.tokenized(source, dir.resolve("out"))
            .format(RowFormat.CHAT)
            .tokenizer(TINY)
            .inFileOrder()
            .evalRows(1)
            .spec();
    PrepFixture.prepare(spark, spec);
    return spec;
  }
}
