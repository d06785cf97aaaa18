package dev.anneal.data.prep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.RowSamples;
import dev.anneal.data.TinyTokenizer;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.format.RowFormat;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.DatasetReport;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of rows, from their files to the text that is learned (between ⟦ and ⟧). */
class RowMeaningTest {
  private static final String HI = "{'role':'user','content':'Hi'}";
  private static final String HELLO = "{'role':'assistant','content':'Hello'}";
  private static final String SAID = "<s>user:Hi</s><s>assistant:⟦Hello</s>⟧";
  private static final Storage STORAGE = new Storage(new Configuration());
  private static SparkSession spark;

  @TempDir Path dir;
  private Path tokenizer;

  @BeforeAll
  static void start() {
    spark = PrepFixture.spark(2);
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @BeforeEach
  void tokenizer() throws IOException {
    tokenizer = TinyTokenizer.write(dir.resolve("tokenizer"));
  }

  /** A row and what it is to become. */
  private record Case(String row, String text) {}

  @Test
  void takesTurnsUnderAllTheirNames() throws Exception {
    learns(
        RowFormat.CHAT,
        new Case("{'messages':[" + HI + "," + HELLO + "]}", SAID),
        new Case(
            "{'messages':[{'from':'human','value':'Hi'},{'from':'gpt','value':'Hello'}]}", SAID),
        new Case("{'conversations':[" + HI + "," + HELLO + "]}", SAID),
        new Case(
            "{'conversations':[{'from':'human','value':'Hi'},{'from':'gpt','value':'Hello'}],"
                + "'system':'Short'}",
            "<s>system:Short</s>" + SAID),
        new Case(
            "{'system':'Short','messages':[" + HI + "," + HELLO + "]}",
            "<s>system:Short</s>" + SAID),
        new Case(
            "{'messages':[{'role':'system','content':''}," + HI + "," + HELLO + "]}",
            "<s>system:</s>" + SAID),
        new Case(
            "{'messages':[{'role':'developer','content':'Short'}," + HI + "," + HELLO + "]}",
            "<s>developer:Short</s>" + SAID));
  }

  @Test
  void learnsOnlyTheTurnsThatAreToBeLearned() throws Exception {
    String masked = "<s>user:Hi</s><s>assistant:Hello</s>" + SAID;
    for (String flag :
        List.of("'weight':0", "'weight':0.0", "'train':false", "'training':0", "'loss':false")) {
      String first = HELLO.replace("}", "," + flag + "}");
      learns(
          RowFormat.CHAT,
          new Case("{'messages':[" + String.join(",", HI, first, HI, HELLO) + "]}", masked),
          new Case(
              "{'conversations':["
                  + String.join(",", HI, first, HI, HELLO.replace("}", ",'weight':1}"))
                  + "]}",
              masked));
    }
    learns(
        RowFormat.PROMPT_COMPLETION,
        new Case(
            "{'prompt':[" + HI + "," + HELLO + "," + HI + "],'completion':[" + HELLO + "]}",
            masked));
  }

  @Test
  void handsOnToolsAndCallsOfThem() throws Exception {
    String function = "{'name':'f','parameters':{}}";
    String tools =
        "[{\"type\": \"function\", \"function\": {\"name\": \"f\", \"parameters\": {}}}]";
    String call =
        "[{\"type\": \"function\", \"function\": {\"name\": \"f\", \"arguments\": {\"a\": 1}}}]";
    String called =
        tools
            + "<s>user:Hi</s><s>assistant:⟦"
            + call
            + "</s>⟧<s>tool:7</s><s>assistant:⟦Hello</s>⟧";
    learns(
        RowFormat.CHAT,
        new Case(
            "{'tools':'["
                + function.replace("'", "\\\"")
                + "]','conversations':[{'from':'human','value':'Hi'},"
                + "{'from':'function_call','value':'{\\\"name\\\":\\\"f\\\",\\\"arguments\\\":{\\\"a\\\":1}}'},"
                + "{'from':'observation','value':'7'},{'from':'gpt','value':'Hello'}]}",
            called),
        new Case(
            "{'functions':["
                + function
                + "],'messages':["
                + HI
                + ",{'role':'assistant','content':null,'function_call':{'name':'f','arguments':'{\\\"a\\\":1}'}},"
                + "{'role':'function','name':'f','content':'7'},"
                + HELLO
                + "]}",
            called),
        new Case("{'tools':'','messages':[" + HI + "," + HELLO + "]}", SAID));
  }

  @Test
  void putsSystemAndHistoryBeforeAnInstruction() throws Exception {
    learns(
        RowFormat.PROMPT_COMPLETION,
        new Case(
            "{'system':'Short','history':[['A','B']],'prompt':'Hi','completion':'Hello'}",
            "<s>system:Short</s><s>user:A</s><s>assistant:⟦B</s>⟧" + SAID));
    Files.writeString(
        dir.resolve("rows.jsonl"),
        json("{'system':'Short','history':[['A','B']],'instruction':'Hi','output':'Hello'}"));
    assertThat(texts(fixture(RowFormat.ALPACA)).get(0))
        .startsWith("<s>system:Short</s><s>user:A</s><s>assistant:⟦B</s>⟧<s>user:Below is an")
        .contains("### Instruction:\nHi");
  }

  @Test
  void takesMappedColumnsAway() throws Exception {
    Files.writeString(dir.resolve("rows.jsonl"), json("{'input':'Sing','output':'La'}"));
    assertThat(texts(fixture(RowFormat.ALPACA).columns(Map.of("instruction", "input"))).get(0))
        .contains("### Instruction:\nSing\n\n### Response:")
        .doesNotContain("### Input");

    Files.writeString(
        dir.resolve("rows.jsonl"),
        json("{'prompt':'Hello','completion':'Hi','more':{'s':'Short'}}"));
    Map<String, String> swapped =
        Map.of("prompt", "completion", "completion", "prompt", "system", "more.s");
    assertThat(texts(fixture(RowFormat.PROMPT_COMPLETION).columns(swapped)))
        .containsExactly("<s>system:Short</s>" + SAID);

    PrepSpec misspelt =
        fixture(RowFormat.PROMPT_COMPLETION).columns(Map.of("system", "sytem")).spec();
    assertThatThrownBy(() -> PrepFixture.prepare(spark, misspelt))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("the column 'sytem', which no usable row");
  }

  @Test
  void saysWhichTemplateAndTokensAndWhatNothingReads() throws Exception {
    Files.writeString(
        dir.resolve("rows.jsonl"),
        json("{'prompt':'Hi','completion':'Hello','id':7,'empty':'','none':null}")
            + json("{'prompt':'Hi','completion':'Hello','source':'web','label':true}"));
    DatasetManifest manifest =
        PrepFixture.prepare(spark, fixture(RowFormat.PROMPT_COMPLETION).spec());
    assertThat(manifest.notes())
        .containsExactly(
            "Chat template: "
                + tokenizer
                + "/tokenizer_config.json. Begin of text: none is put before a text;"
                + " end of text: </s> (256).",
            "Fields that nothing reads: id.");
    assertThat(DatasetReport.of(manifest)).endsWith("Fields that nothing reads: id.");
    assertThat(DatasetManifest.read(manifest(), STORAGE).notes()).isEqualTo(manifest.notes());
  }

  @Test
  void namesFieldsOfTurnsThatNoTemplateNames() throws Exception {
    RowPreparer preparer = RowPreparer.load(fixture(RowFormat.CHAT).spec(), STORAGE);
    String turns =
        "{'messages':[{'role':'user','content':'Hi','name':'Ann','weight':1},"
            + "{'role':'assistant','content':'Hello','tool_calls':[],'mood':null}]}";
    try {
      assertThat(
              preparer
                  .parse(new dev.anneal.data.source.SourceRow(0, "f", 1, json(turns)))
                  .fields()
                  .unread())
          .containsExactly("name of a turn");
    } finally {
      preparer.close();
    }
  }

  @Test
  void stopsAtATokenThatTheModelDoesNotEmbed() throws Exception {
    Files.writeString(
        dir.resolve("rows.jsonl"), json("{'text':'plain'}") + json("{'text':'with <s>'}"));
    PrepSpec spec = fixture(RowFormat.TEXT).spec();
    PrepSpec small =
        new PrepSpec(spec.rows(), spec.sequences(), 42, spec.tokenizer(), spec.output(), 257);
    for (org.assertj.core.api.ThrowableAssert.ThrowingCallable run :
        List.<org.assertj.core.api.ThrowableAssert.ThrowingCallable>of(
            () -> PrepFixture.prepare(spark, small),
            () -> RowPreparer.load(small, STORAGE).prepare(row()))) {
      assertThatThrownBy(run)
          .isInstanceOf(InvalidDataException.class)
          .hasMessageContaining("Row 2 of '")
          .hasMessageContaining("the token '<s>' (257), but the model embeds only 257 tokens");
    }
    Files.writeString(dir.resolve("rows.jsonl"), json("{'text':'plain'}"));
    assertThat(PrepFixture.prepare(spark, small).rows().kept()).isEqualTo(1);
  }

  private static dev.anneal.data.source.SourceRow row() {
    return new dev.anneal.data.source.SourceRow(1, "rows.jsonl", 2, "{\"text\":\"with <s>\"}");
  }

  @Test
  void refusesFoldersOfTablesThatSparkCannotRead() throws Exception {
    Path delta = Files.createDirectories(dir.resolve("delta/_delta_log")).getParent();
    Files.writeString(delta.resolve("part-0.snappy.parquet"), "PAR1");
    Path iceberg = Files.createDirectories(dir.resolve("ice/metadata")).getParent();
    Files.writeString(iceberg.resolve("metadata/v1.metadata.json"), "{}");
    Path data = Files.createDirectories(iceberg.resolve("data/day=1"));
    Files.writeString(data.resolve("00000.parquet"), "PAR1");

    assertThatThrownBy(
            () -> PrepFixture.prepare(spark, fixture(RowFormat.TEXT).source(delta).spec()))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining(
            "is a table of delta, which this Spark cannot read (nothing on its class path knows the"
                + " format): start it");
    assertThatThrownBy(
            () -> PrepFixture.prepare(spark, fixture(RowFormat.TEXT).source(iceberg).spec()))
        .isInstanceOf(InvalidDataException.class)
        .hasMessageContaining("is a table of iceberg, which this Spark cannot read");
    for (Path files : List.of(delta.resolve("*.parquet"), data, data.resolve("00000.parquet"))) {
      assertThatThrownBy(
              () -> new Preparation(fixture(RowFormat.TEXT).source(files).spec(), STORAGE).check())
          .isInstanceOf(InvalidDataException.class)
          .hasMessageContaining("and may hold deleted rows: set data.source to the folder");
    }
  }

  private void learns(RowFormat format, Case... cases) throws Exception {
    StringBuilder rows = new StringBuilder();
    for (Case one : cases) {
      rows.append(json(one.row()));
    }
    Files.writeString(dir.resolve("rows.jsonl"), rows);
    assertThat(texts(fixture(format)))
        .containsExactly(java.util.Arrays.stream(cases).map(Case::text).toArray(String[]::new));
  }

  private PrepFixture fixture(RowFormat format) {
    return PrepFixture.alpaca(dir.resolve("out"))
        .source(dir.resolve("rows.jsonl"))
        .tokenizer(tokenizer)
        .format(format)
        .unpacked()
        .inFileOrder()
        .maxBadRows(0);
  }

  private List<String> texts(PrepFixture fixture) {
    PrepFixture.prepare(spark, fixture.spec());
    try (ChatTokenizer texts = ChatTokenizer.load(tokenizer.toString(), STORAGE)) {
      return RowSamples.marked(manifest(), 100, texts, STORAGE);
    }
  }

  private String manifest() {
    return dir.resolve("out/dataset").toString();
  }

  private static String json(String row) {
    return row.replace('\'', '"') + "\n";
  }
}
