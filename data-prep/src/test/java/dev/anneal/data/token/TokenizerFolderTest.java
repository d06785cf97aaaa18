package dev.anneal.data.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** A folder means what transformers takes it to mean; {@code tokenizers/generate.py} asked it. */
class TokenizerFolderTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Storage STORAGE = new Storage(new Configuration());
  private static final List<Message> TURNS =
      List.of(
          new Message("user", "x"),
          new Message("assistant", null, Map.of("tool_calls", List.of(Map.of()))));

  @TempDir Path dir;

  @TestFactory
  Stream<DynamicTest> asInTransformers() throws IOException {
    JsonNode all = cases();
    assertThat(all.path("cases").size()).isGreaterThan(60);
    return all.path("cases")
        .valueStream()
        .map(
            one ->
                DynamicTest.dynamicTest(
                    one.path("name").asText(), () -> compare(one, all.path("text").asText())));
  }

  private void compare(JsonNode expected, String text) throws IOException {
    try (ChatTokenizer tokenizer = load(expected.path("files"))) {
      if (expected.has("ids")) {
        String encoded = expected.path("text").asText(text);
        int[] ids = JSON.convertValue(expected.path("ids"), int[].class);
        assertThat(tokenizer.encode(encoded)).isEqualTo(ids);
        assertThat(tokenizer.encodeWithOffsets(encoded).ids()).isEqualTo(ids);
        if (expected.has("before")) {
          assertThat(tokenizer.idsBeforeTexts())
              .isEqualTo(JSON.convertValue(expected.path("before"), int[].class));
          assertThat(tokenizer.decode(ids, SpecialTokens.KEEP))
              .isEqualTo(expected.path("decoded").textValue());
        }
        TokenizerFiles files = TokenizerFiles.read(dir.toString(), STORAGE);
        assertThat(files.bosToken()).isEqualTo(expected.path("bos").textValue());
        assertThat(files.eosToken()).isEqualTo(expected.path("eos").textValue());
      }
      List<Map<String, Object>> rows =
          List.of(
              Map.of(),
              Map.of("tools", List.of()),
              Map.of("tools", List.of(Map.of("type", "function"))));
      for (int i = 0; i < expected.path("rendered").size(); i++) {
        String rendered = expected.path("rendered").get(i).textValue();
        Map<String, Object> row = rows.get(i);
        if (rendered == null) {
          assertThatThrownBy(() -> tokenizer.render(TURNS, row, GenerationPrompt.OMIT))
              .isInstanceOf(InvalidDataException.class)
              .hasMessageContaining("none of them is called 'default'");
        } else {
          assertThat(tokenizer.render(TURNS, row, GenerationPrompt.OMIT).text())
              .isEqualTo(rendered);
        }
      }
    }
  }

  @Test
  void takesTheTemplateOfAProcessorWhereThereIsNoOther() throws IOException {
    try (ChatTokenizer tokenizer =
        load(with("{'chat_template.json':{'chat_template':'processor'}}"))) {
      assertThat(tokenizer.render(TURNS, GenerationPrompt.OMIT)).isEqualTo("processor");
    }
  }

  @Test
  void callsWhatGitLfsLeftByItsName() throws IOException {
    String pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9085657\n";
    for (String file :
        List.of("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")) {
      Files.writeString(dir.resolve(file), pointer);
      assertThatThrownBy(() -> TokenizerFiles.read(dir.toString(), STORAGE))
          .isInstanceOf(InvalidDataException.class)
          .hasMessageContaining(file + "' is a Git LFS pointer");
      write(with("{}"));
      Files.deleteIfExists(dir.resolve("tokenizer_config.json"));
    }
  }

  @Test
  void refusesWhatItCannotTakeAsMeant() throws IOException {
    assertThatThrownBy(() -> load(with("{'tokenizer_config.json':{'split_special_tokens':true}}")))
        .hasMessageContaining("sets split_special_tokens");
    assertThatThrownBy(
            () -> load(with("{'tokenizer_config.json':{'chat_template':[{'name':'default'}]}}")))
        .hasMessageContaining("neither a text nor a list of templates");
    assertThatThrownBy(
            () -> load(with("{'tokenizer_config.json':{'added_tokens_decoder':{'x':'y'}}}")))
        .hasMessageContaining("a key that is no token id");
    assertThatThrownBy(
            () -> load(with("{'tokenizer_config.json':{'tokenizer_class':'CodeLlamaTokenizer'}}")))
        .hasMessageContaining("'CodeLlamaTokenizer', whose rules are not known here");
  }

  private JsonNode with(String files) throws IOException {
    com.fasterxml.jackson.databind.node.ObjectNode all =
        (com.fasterxml.jackson.databind.node.ObjectNode) JSON.readTree(files.replace('\'', '"'));
    all.set("tokenizer.json", cases().path("cases").get(0).path("files").path("tokenizer.json"));
    return all;
  }

  private static JsonNode cases() throws IOException {
    try (InputStream in = TokenizerFolderTest.class.getResourceAsStream("/tokenizers/cases.json")) {
      return JSON.readTree(in);
    }
  }

  private ChatTokenizer load(JsonNode files) throws IOException {
    write(files);
    return ChatTokenizer.load(dir.toString(), STORAGE);
  }

  private void write(JsonNode files) throws IOException {
    try (Stream<Path> before = Files.walk(dir)) {
      before.filter(Files::isRegularFile).forEach(file -> file.toFile().delete());
    }
    for (Map.Entry<String, JsonNode> file : files.properties()) {
      Path path = dir.resolve(file.getKey());
      Files.createDirectories(path.getParent());
      String content =
          file.getValue().isTextual() ? file.getValue().textValue() : file.getValue().toString();
      Files.writeString(path, content);
    }
  }
}
