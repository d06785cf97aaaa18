package dev.anneal.data.token;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.Shared;
import dev.anneal.data.format.BadRowException;
import dev.anneal.data.format.Example;
import dev.anneal.data.format.LearnedPart;
import dev.anneal.data.format.RowFormat;
import dev.anneal.data.format.RowTokenizer;
import dev.anneal.data.format.TokenizedRow;
import dev.anneal.storage.Storage;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Equal to Hugging Face transformers and tokenizers on Llama 3.1, text for text and id for id. */
class GoldenTokensTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static ChatTokenizer tokenizer;

  @BeforeAll
  static void load() {
    tokenizer =
        ChatTokenizer.load(Shared.llamaTokenizer().toString(), new Storage(new Configuration()));
  }

  @AfterAll
  static void close() {
    if (tokenizer != null) {
      tokenizer.close();
    }
  }

  @Test
  void rendersAndTokenizesTheGoldenRows() throws Exception {
    JsonNode golden = JSON.readTree(Shared.file("golden/llama31_tokens.json").toFile());
    JsonNode rows = JSON.readTree(Shared.alpaca().toFile());
    RowTokenizer rowTokenizer = new RowTokenizer(tokenizer, LearnedPart.ANSWERS);
    assertThat(golden).hasSize(200);
    for (JsonNode expected : golden) {
      int row = expected.get("row").intValue();
      Example.Chat chat = (Example.Chat) RowFormat.ALPACA.parse(rows.get(row));
      int[] ids = JSON.convertValue(expected.get("input_ids"), int[].class);

      assertThat(tokenizer.render(chat.messages(), GenerationPrompt.OMIT))
          .isEqualTo(expected.get("rendered").textValue());
      TokenizedRow tokenized = rowTokenizer.tokenize(chat);
      assertThat(tokenized.ids()).as("row %d", row).isEqualTo(ids);
      assertThat(tokenized.targetSpans())
          .as("row %d", row)
          .containsExactly(expected.get("prompt_length").intValue(), ids.length);
    }
  }

  @Test
  void tokenizesAllAlpacaRowsToTheKnownDigest() throws Exception {
    RowTokenizer rowTokenizer = new RowTokenizer(tokenizer, LearnedPart.ANSWERS);
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    long tokens = 0;
    for (JsonNode row : JSON.readTree(Shared.alpaca().toFile())) {
      int[] ids = rowTokenizer.tokenize(chat(row)).ids();
      tokens += ids.length;
      digest.update(Arrays.toString(ids).getBytes(StandardCharsets.UTF_8));
    }
    assertThat(tokens).isEqualTo(1_044_827);
    assertThat(HexFormat.of().formatHex(digest.digest()))
        .isEqualTo("e9fa794e1876bd1bad93184d072f18ffb15e73cc52baa1f9882d0452a9e36d53");
  }

  // The known digest includes rows with an empty answer, which data preparation leaves out.
  private static Example chat(JsonNode row) throws BadRowException {
    ObjectNode answered = row.deepCopy();
    Example.Chat chat = (Example.Chat) RowFormat.ALPACA.parse(answered.put("output", "answer"));
    Message answer = new Message("assistant", row.get("output").textValue());
    return new Example.Chat(List.of(chat.messages().get(0), answer));
  }

  @Test
  void knowsTheVocabularyAndItsSpecialTokens() {
    assertThat(tokenizer.vocabSize()).isEqualTo(128_256);
    assertThat(tokenizer.idsBeforeTexts()).containsExactly(128_000);
    assertThat(tokenizer.eosId()).hasValue(128_009);
  }

  @Test
  void decodesWithAndWithoutSpecialTokens() {
    int[] ids = tokenizer.encode("<|begin_of_text|>Grüße, 世界 🌍<|eot_id|>");
    assertThat(tokenizer.decode(ids, SpecialTokens.SKIP)).isEqualTo("Grüße, 世界 🌍");
    assertThat(tokenizer.decode(ids, SpecialTokens.KEEP))
        .isEqualTo("<|begin_of_text|>Grüße, 世界 🌍<|eot_id|>");
    assertThat(ids[0]).isEqualTo(128_000);
    assertThat(ids[1]).isNotEqualTo(128_000);
  }
}
