package dev.anneal.spark.fuzz;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.GenerationPrompt;
import dev.anneal.data.token.Message;
import dev.anneal.data.token.SpecialTokens;
import dev.anneal.data.token.TemplateRefusalException;
import dev.anneal.data.token.TokenizerFiles;
import dev.anneal.storage.Storage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("fuzz")
class TokenizerFuzzTest {
  private static final Path MODEL = Path.of(System.getProperty("anneal.home"), "conf/tiny/model");
  private static final List<Message> CHAT =
      List.of(new Message("user", " Hi {{ x }} \u00e9"), new Message("assistant", "Hello\n"));

  /** One that is small enough to be changed in all its parts. */
  private static final String SMALL =
      """
      {"version":"1.0","truncation":null,"padding":null,"added_tokens":[
      {"id":5,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
      "normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
      "post_processor":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true},
      "decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
      "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,
      "fuse_unk":false,"byte_fallback":false,"ignore_merges":false,
      "vocab":{"H":0,"i":1,"e":2,"l":3,"Hi":4},"merges":["H i"]}}""";

  private static final List<String> JSON_WORDS =
      List.of(
          "\"type\":\"Sequence\"",
          "\"pretokenizers\":",
          "\"Split\"",
          "\"Regex\":\"(a+)+\"",
          "\"Unigram\"",
          "\"WordPiece\"",
          "\"WordLevel\"",
          "\"NFC\"",
          "\"Metaspace\"",
          "\"vocab\":",
          "\"merges\":",
          "\"Strip\"",
          "\"Replace\"",
          "\"truncation\":{\"max_length\":0}",
          "\"id\":");

  private static final List<String> TEMPLATES =
      List.of(
          """
          {{- bos_token }}{%- for message in messages %}{{- '<|' + message['role'] + '|>' + \
          message['content'] | trim + '<|end|>' }}{%- endfor %}{%- if add_generation_prompt %}{{ '<|assistant|>' }}{%- endif %}""",
          """
          {%- set ns = namespace(n=0) %}{%- macro turn(m, n) %}{{ m.role | upper }}: {{ m.content.strip() | replace('H', 'J') }}{% endmacro %}\
          {%- for m in messages[::-1] if m.role != 'system' %}{%- set ns.n = ns.n + loop.index %}{{ turn(m, ns.n) }}\
          {{ m | tojson(indent=2) }}{{ range(3) | list | join(',') }}{{ [1, 2] + [3] }}{% endfor %}\
          {% if ns.n > 2 and not tools is defined %}{{ raise_exception('no') }}{% endif %}{{ strftime_now('%d %b %Y') }}""");

  private static final List<String> TEMPLATE_WORDS =
      List.of(
          "{% for i in range(20000) %}",
          "{% endfor %}",
          "{% macro f() %}",
          "{{ f() }}",
          "{% endmacro %}",
          "{% set x = x + x %}",
          "{% set x = 'aaaaaaaa' %}",
          "{% set x = [x, x] %}",
          "{{ x }}",
          "{% set _ = messages.append(messages) %}",
          ".__class__",
          ".class",
          ".getClass()",
          "{% include 'x' %}",
          "{% import 'x' as y %}",
          "{% extends 'x' %}",
          "| tojson(indent=9)",
          "| replace('', 'bbbbbbbb')",
          "| join(x)",
          "* 1000000000",
          "** 99999",
          "| upper",
          "[::-1]",
          "[0]",
          ".split('')",
          ".items()",
          "{# ",
          " #}",
          "{% raw %}",
          "{{ '%s' | format(x) }}",
          "{% if x %}",
          "{% else %}",
          "{% endif %}",
          "(",
          ")",
          "{{",
          "}}",
          "{%",
          "%}",
          "is defined",
          "____int3rpr3t3r____",
          ".config",
          "~ x",
          "| map('upper')",
          "| sort",
          "loop.parent");

  @TempDir(factory = MemoryTempDir.class)
  Path dir;

  private final Storage storage = new Storage(new Configuration());

  @Test
  void smallTokenizers() throws Exception {
    fuzzTokenizer("small tokenizer.json", SMALL.getBytes(UTF_8));
  }

  @Test
  void tokenizers() throws Exception {
    fuzzTokenizer("tokenizer.json", Files.readAllBytes(MODEL.resolve("tokenizer.json")));
  }

  private static void fuzzTokenizer(String name, byte[] seed) throws Exception {
    Mutator mutator = new Mutator(Fuzz.seed(), List.of(seed), JSON_WORDS);
    Fuzz.run(
        name,
        mutator,
        json -> {
          String text = new String(json, UTF_8);
          TokenizerFiles files =
              new TokenizerFiles("memory", text, null, "<s>", null, Instant.EPOCH);
          try (ChatTokenizer tokenizer = ChatTokenizer.of(files)) {
            int[] ids = tokenizer.encode("Hi, hello \u00e9\ud83d\ude00 <s> 123");
            tokenizer.encodeWithOffsets("Hi hello <s>");
            tokenizer.decode(ids, SpecialTokens.SKIP);
            tokenizer.decode(new int[] {0, 7, 1 << 30}, SpecialTokens.KEEP);
            tokenizer.idsBeforeTexts();
          }
        },
        InvalidDataException.class);
  }

  @Test
  void tokenizerConfigurations() throws Exception {
    Files.writeString(dir.resolve("tokenizer.json"), SMALL);
    byte[] config = Files.readAllBytes(MODEL.resolve("tokenizer_config.json"));
    Mutator mutator = new Mutator(Fuzz.seed(), List.of(config), TEMPLATE_WORDS);
    Fuzz.run(
        "tokenizer_config.json",
        mutator,
        json -> {
          Files.write(dir.resolve("tokenizer_config.json"), json);
          TokenizerFiles.read(dir.toString(), storage);
        },
        InvalidDataException.class);
  }

  @Test
  void templates() throws Exception {
    List<byte[]> seeds = TEMPLATES.stream().map(text -> text.getBytes(UTF_8)).toList();
    Mutator mutator = new Mutator(Fuzz.seed(), seeds, TEMPLATE_WORDS);
    Fuzz.run(
        "templates",
        mutator,
        template -> {
          String text = new String(template, UTF_8);
          TokenizerFiles files =
              new TokenizerFiles("memory", SMALL, text, "<s>", null, Instant.EPOCH);
          try (ChatTokenizer tokenizer = ChatTokenizer.of(files)) {
            tokenizer.render(CHAT, GenerationPrompt.ADD);
          }
        },
        InvalidDataException.class,
        TemplateRefusalException.class);
  }
}
