package dev.anneal.data.token;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.Shared;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The tokenizer is a small one of the kind, with the pairs that real rows have most of. */
class SentencePieceEncoderTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int TEXTS = 300;
  private static final int MERGES = 600;

  private static final String PREPENDS =
      "'normalizer':{'type':'Sequence','normalizers':[{'type':'Prepend','prepend':'▁'},"
          + "{'type':'Replace','pattern':{'String':' '},'content':'▁'}]},'pre_tokenizer':null";
  private static final String METASPACE =
      "'normalizer':null,'pre_tokenizer':"
          + "{'type':'Metaspace','replacement':'▁','prepend_scheme':'always','split':false}";

  private static String model;

  @BeforeAll
  static void train() throws IOException {
    model = JSON.writeValueAsString(trained());
  }

  @ParameterizedTest
  @ValueSource(strings = {"prepends", "always", "first", "never", "split"})
  void encodesAsTheLibraryDoes(String rules) throws IOException {
    String written =
        switch (rules) {
          case "prepends" -> PREPENDS;
          case "always" -> METASPACE;
          case "split" -> METASPACE.replace("'split':false", "'split':true");
          default -> METASPACE.replace("always", rules);
        };
    TokenizerJson json = TokenizerJson.parse(tokenizer(written));
    try (NativeTokenizer library = new NativeTokenizer(json.text())) {
      TextEncoder encoder = TextEncoders.of(json, library);
      assertThat(encoder).isInstanceOf(PieceTokenizer.class);
      EncoderCheck check = new EncoderCheck(library, encoder);
      check.everyAlpacaText();
      check.anyText();
      check.everyCharacter(20);
      check.addedTokens("<s>", "</s>");
      for (String text : List.of("▁", "a▁b ▁▁c▁ d ▁", " ▁a", "▁ a", "<s>▁the", "<s> ▁<s>a")) {
        check.assertSame(text);
      }
    }
  }

  @Test
  void doesNotCutWhereATokenHoldsASpace() throws IOException {
    String crossing = tokenizer(METASPACE).replace("\"vocab\":{", "\"vocab\":{\"e▁t\":5000,");
    crossing = crossing.replace("\"merges\":[", "\"merges\":[[\"e▁\",\"t\"],");
    crossing = crossing.replace("\"merges\":[", "\"merges\":[[\"e\",\"▁\"],");
    crossing = crossing.replace("\"vocab\":{", "\"vocab\":{\"e▁\":5001,");
    TokenizerJson json = TokenizerJson.parse(crossing);
    try (NativeTokenizer library = new NativeTokenizer(json.text())) {
      TextEncoder encoder = TextEncoders.of(json, library);
      assertThat(encoder).isInstanceOf(SentencePieceEncoder.class);
      assertThat(encoder.ids("the thing")).contains(5000);
      new EncoderCheck(library, encoder).anyText();
    }
  }

  @Test
  void leavesOtherRulesToTheLibrary() throws IOException {
    for (String rules :
        List.of(
            METASPACE.replace("'▁'", "'_'"),
            METASPACE.replace("'prepend_scheme':'always'", "'add_prefix_space':true"),
            METASPACE.replace("'normalizer':null", "'normalizer':{'type':'NFKC'}"),
            PREPENDS.replace("'prepend':'▁'", "'prepend':'x'"),
            PREPENDS.replace("'pre_tokenizer':null", "'pre_tokenizer':{'type':'Whitespace'}"))) {
      assertThat(TextEncoders.of(TokenizerJson.parse(tokenizer(rules)), null)).as(rules).isNull();
    }
    String withoutAByte = tokenizer(METASPACE).replace("\"<0x7F>\"", "\"<0x7F\"");
    assertThat(TextEncoders.of(TokenizerJson.parse(withoutAByte), null)).isNull();
  }

  private static String tokenizer(String rules) {
    String added =
        "[{'id':1,'content':'<s>','single_word':false,'lstrip':false,'rstrip':false,'normalized':false,'special':true},"
            + "{'id':2,'content':'</s>','single_word':false,'lstrip':false,'rstrip':false,'normalized':false,'special':true}]";
    return ("{'version':'1.0','added_tokens':" + added + "," + rules + ",'model':")
            .replace('\'', '"')
        + model
        + "}";
  }

  /** Byte pairs of real rows: characters that are rare have no token. */
  private static ObjectNode trained() throws IOException {
    Map<String, Integer> words = new HashMap<>();
    int texts = 0;
    for (JsonNode row : JSON.readTree(Shared.alpaca().toFile())) {
      for (String word : row.get("output").textValue().split("(?= )", -1)) {
        words.merge(word.replace(' ', '▁'), 1, Integer::sum);
      }
      if (++texts == TEXTS) {
        break;
      }
    }
    ObjectNode vocabulary = JSON.createObjectNode();
    for (String token : List.of("<unk>", "<s>", "</s>")) {
      vocabulary.put(token, vocabulary.size());
    }
    for (int i = 0; i < 256; i++) {
      vocabulary.put(String.format(Locale.ROOT, "<0x%02X>", i), vocabulary.size());
    }
    "▁etaoinsrhldcumfpgwybv.,kTIA0123é中"
        .codePoints()
        .mapToObj(Character::toString)
        .forEach(c -> vocabulary.put(c, vocabulary.size()));
    ArrayNode merges = JSON.createArrayNode();
    Map<List<String>, Integer> cut = new HashMap<>();
    words.forEach(
        (word, count) -> cut.put(word.codePoints().mapToObj(Character::toString).toList(), count));
    for (int i = 0; i < MERGES; i++) {
      Map<List<String>, Integer> pairs = new HashMap<>();
      cut.forEach(
          (pieces, count) -> {
            for (int p = 1; p < pieces.size(); p++) {
              if (vocabulary.has(pieces.get(p - 1)) && vocabulary.has(pieces.get(p))) {
                pairs.merge(pieces.subList(p - 1, p + 1), count, Integer::sum);
              }
            }
          });
      List<String> best =
          pairs.entrySet().stream()
              .max(
                  Map.Entry.<List<String>, Integer>comparingByValue()
                      .thenComparing(pair -> pair.getKey().toString(), Comparator.naturalOrder()))
              .orElseThrow()
              .getKey();
      merges.add(JSON.valueToTree(best));
      String merged = String.join("", best);
      if (!vocabulary.has(merged)) {
        vocabulary.put(merged, vocabulary.size());
      }
      Map<List<String>, Integer> next = new HashMap<>();
      cut.forEach((pieces, count) -> next.merge(joined(pieces, best), count, Integer::sum));
      cut.clear();
      cut.putAll(next);
    }
    return JSON.createObjectNode()
        .put("type", "BPE")
        .putNull("dropout")
        .put("unk_token", "<unk>")
        .putNull("continuing_subword_prefix")
        .putNull("end_of_word_suffix")
        .put("fuse_unk", true)
        .put("byte_fallback", true)
        .<ObjectNode>set("vocab", vocabulary)
        .set("merges", merges);
  }

  private static List<String> joined(List<String> pieces, List<String> pair) {
    List<String> joined = new ArrayList<>();
    for (String piece : pieces) {
      int last = joined.size() - 1;
      if (last >= 0 && joined.get(last).equals(pair.get(0)) && piece.equals(pair.get(1))) {
        joined.set(last, joined.get(last) + piece);
      } else {
        joined.add(piece);
      }
    }
    return joined;
  }
}
