package dev.anneal.data.prep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.data.Shared;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.format.RowFormat;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PrepCheckTest {
  private static final String GOOD = "{\"input_ids\":[1,2,3],\"prompt_length\":1}\n";

  @TempDir Path dir;

  @Test
  void passesAlpacaAndCountsItsRows() {
    PrepCheck.Report report = check(PrepFixture.alpaca(dir).spec());

    assertThat(report).isEqualTo(new PrepCheck.Report(1, 9229, 4, true));
  }

  @Test
  void stopsAtTheLimit() throws Exception {
    PrepCheck.Report report = check(tokenized(GOOD.repeat(10)).limit(4).spec());

    assertThat(report).isEqualTo(new PrepCheck.Report(1, 4, 0, true));
  }

  @Test
  void scansOnlyTheStartOfALargeFile() throws Exception {
    String row =
        "{\"input_ids\":[1,2,3],\"prompt_length\":1,\"pad\":\"" + "x".repeat(1 << 20) + "\"}\n";
    PrepCheck.Report report = check(tokenized(row.repeat(70)).evalRows(69).spec());

    assertThat(report.complete()).isFalse();
    assertThat(report.rows()).isBetween(63L, 66L);
  }

  @Test
  void refusesASourceThatIsNotThere() {
    refuses(PrepFixture.tokenized(dir.resolve("no.jsonl"), dir), "matches no file");
    refuses(
        PrepFixture.tokenized(dir.resolve("*.jsonl"), dir),
        "matches no file: check the path or the glob");
  }

  @Test
  void refusesAnEmptySource() throws Exception {
    refuses(tokenized(""), "holds no rows");
    refuses(tokenized("[]"), "holds no rows");
  }

  @Test
  void refusesBrokenJsonNamingFileAndRow() throws Exception {
    String[] secondRow = {"1 of 3 rows", "row 2 of", "rows.jsonl': the row is not JSON"};
    refuses(tokenized(GOOD + "{\"input_ids\": [1,}\n" + GOOD), secondRow);
    refuses(tokenized(GOOD + GOOD.strip() + GOOD + GOOD), secondRow);
    refuses(tokenized("[\n{\"a\": 1},\n{\"a\" 2}]"), "rows.jsonl' is broken in line 3, row 2");
    refuses(tokenized("instruction,output\na,b\n"), "is not JSON in UTF-8 (line 1)");
  }

  @Test
  void refusesAnotherEncodingNamingFileAndRow() throws Exception {
    byte[] latin = (GOOD + "{\"text\": \"Grüße\"}\n").getBytes(StandardCharsets.ISO_8859_1);
    refuses(tokenized(latin), "row 2 of", "rows.jsonl': the row is not UTF-8");
    byte[] array = "[{\"text\": \"Grüße\"}]".getBytes(StandardCharsets.ISO_8859_1);
    refuses(tokenized(array), "rows.jsonl' is broken in line 1, row 1");
    refuses(tokenized(GOOD.getBytes(StandardCharsets.UTF_16)), "is not JSON in UTF-8");
  }

  @Test
  void refusesTooManyBadRowsNamingTheFirst() throws Exception {
    String rows = GOOD.repeat(50) + "{\"prompt_length\":1}\n" + GOOD.repeat(49);
    assertThat(check(tokenized(rows).spec()).badRows()).isEqualTo(1);

    refuses(
        tokenized(rows + "{}\n"),
        "2 of 101 rows",
        "row 51 of",
        "field 'input_ids' is not a list",
        "data.max_bad_rows 0.01");
  }

  @Test
  void refusesMaskedLabels() throws Exception {
    refuses(tokenized("{\"input_ids\":[1,2,3],\"prompt_length\":3}\n"), "has a learned token");
    refuses(
        tokenized(GOOD.replace("1,2,3", "1,2,3,4").replace(":1", ":3")).maxLength(3),
        "data.max_length 3");
  }

  @Test
  void refusesToHoldOutEveryRow() throws Exception {
    refuses(tokenized(GOOD.repeat(3)).evalRows(3), "3 usable rows", "lower data.eval_rows");
    assertThat(check(tokenized(GOOD.repeat(4)).evalRows(3).spec()).rows()).isEqualTo(4);
  }

  @Test
  void refusesATokenizerFolderWithoutTokenizer() throws Exception {
    refuses(tokenized(GOOD).tokenizer(dir), "has no tokenizer.json");
    Files.writeString(dir.resolve("tokenizer.json"), "{\"model\": 3}");
    refuses(tokenized(GOOD).tokenizer(dir), "is not a Hugging Face tokenizer");
  }

  @Test
  void demandsAChatTemplateOnlyForConversations() throws Exception {
    Path bare = Files.createDirectory(dir.resolve("bare"));
    Files.copy(Shared.llamaTokenizer().resolve("tokenizer.json"), bare.resolve("tokenizer.json"));
    refuses(PrepFixture.alpaca(dir).tokenizer(bare), "has no chat template");

    Path text =
        Files.writeString(dir.resolve("text.jsonl"), "{\"text\": \"To be or not to be\"}\n");
    PrepSpec spec =
        PrepFixture.alpaca(dir).tokenizer(bare).source(text).format(RowFormat.TEXT).spec();
    assertThat(check(spec).rows()).isEqualTo(1);
  }

  @Test
  void refusesIdsOutsideTheVocabulary() throws Exception {
    refuses(
        tokenized("{\"input_ids\":[1,128256],\"prompt_length\":0}\n")
            .tokenizer(Shared.llamaTokenizer()),
        "holds an id outside the vocabulary");
  }

  @Test
  void refusesNumbersThatMakeNoSense() {
    PrepFixture fixture = PrepFixture.tokenized(dir, dir);
    assertThatThrownBy(() -> fixture.maxLength(1).spec())
        .hasMessageContaining("data.max_length is 1");
    assertThatThrownBy(() -> fixture.maxLength(8).evalRows(-1).spec())
        .hasMessageContaining("data.eval_rows is -1");
    assertThatThrownBy(() -> fixture.evalRows(0).maxBadRows(1.5).spec())
        .hasMessageContaining("data.max_bad_rows is 1.5");
    assertThatThrownBy(() -> fixture.maxBadRows(0).format(RowFormat.TEXT).spec())
        .hasMessageContaining("need a tokenizer");
  }

  private PrepFixture tokenized(String content) throws IOException {
    return tokenized(content.getBytes(StandardCharsets.UTF_8));
  }

  private PrepFixture tokenized(byte[] content) throws IOException {
    return PrepFixture.tokenized(Files.write(dir.resolve("rows.jsonl"), content), dir);
  }

  private static void refuses(PrepFixture fixture, String... parts) {
    assertThatThrownBy(() -> check(fixture.spec()))
        .isInstanceOf(InvalidDataException.class)
        .message()
        .contains(parts)
        .endsWith(".")
        .doesNotContain("\n");
  }

  private static PrepCheck.Report check(PrepSpec spec) {
    return new Preparation(spec, new Storage(new Configuration())).check();
  }
}
