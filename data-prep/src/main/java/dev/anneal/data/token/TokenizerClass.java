package dev.anneal.data.token;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.error.InvalidDataException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What transformers 5 makes of {@code tokenizer.json} for a {@code tokenizer_class}. Most names
 * stand for the file as it is. Some are classes that take its vocabulary, merges and post-processor
 * and have a normalizer, a pre-tokenizer and a decoder of their own.
 */
final class TokenizerClass {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String NAME = "tokenizer_class";
  private static final String FAST = "Fast";
  private static final String END = "<|endoftext|>";

  private static final String LLAMA = "LlamaTokenizer";
  private static final String GPT2 = "GPT2Tokenizer";
  private static final String GPT_NEOX = "GPTNeoXTokenizer";
  private static final String QWEN2 = "Qwen2Tokenizer";

  /** Roles that the classes fill where the files do not. */
  private static final Map<String, Map<String, String>> DEFAULTS =
      Map.of(
          LLAMA, Map.of("bos_token", "<s>", "eos_token", "</s>", "unk_token", "<unk>"),
          GPT2, Map.of("bos_token", END, "eos_token", END, "unk_token", END),
          GPT_NEOX,
              Map.of(
                  "bos_token", END, "eos_token", END, "unk_token", END, "pad_token", "<|padding|>"),
          QWEN2, Map.of("eos_token", END, "unk_token", END, "pad_token", END));

  /** Classes of transformers 5.24 with rules of their own, or without tokenizer.json at all. */
  private static final Set<String> UNKNOWN =
      Set.of(
          """
          Albert Bart Barthez Bartpho Bert BertGeneration BertJapanese Bertweet BigBird BioGpt \
          Blenderbot BlenderbotSmall ByT5 CLIP CTRL Camembert Canine Clvp CodeLlama Cohere Cpm \
          CpmAnt DPRQuestionEncoder Deberta DebertaV2 Dia Esm Esmc FSMT Flaubert Funnel GPTNeoXJapanese \
          GPTSw3 Gemma Herbert LED Lasr LayoutLMv2 LayoutLMv3 LayoutXLM Luke Lxmert M2M100 MBart \
          MBart50 MLuke MPNet Marian MarkupLM Mgpstr MobileBert Mvp MyT5 Nllb Nougat OpenAIGPT \
          PLBart Pegasus Perceiver Phobert ProphetNet Qwen3_5 Rag Reformer RemBert RoCBert RoFormer \
          Roberta SeamlessM4T Siglip Siglip2 Speech2Text SpeechT5 Splinter T5 Tapas Tipsv2 Udop \
          VideoPrism Vits Wav2Vec2CTC Wav2Vec2PhonemeCTC Whisper XGLM XLM XLMRoberta XLNet"""
              .split(" "));

  private final String name;
  private final JsonNode config;

  private TokenizerClass(String name, JsonNode config) {
    this.name = name;
    this.config = config;
  }

  /**
   * The class that a folder asks for.
   *
   * @param config contents of {@code tokenizer_config.json}
   * @throws InvalidDataException if it is one that is not known here
   */
  static TokenizerClass of(JsonNode config, FolderFiles files, TokenizerJson json) {
    String asked = config.path(NAME).asText("");
    if (asked.isEmpty()) {
      asked = files.json(FolderFiles.MODEL).path(NAME).asText("");
    }
    String name = asked.endsWith(FAST) ? asked.substring(0, asked.length() - FAST.length()) : asked;
    if (name.endsWith("Tokenizer")
        && UNKNOWN.contains(name.substring(0, name.length() - "Tokenizer".length()))) {
      throw refused(asked, files, "whose rules are not known here");
    }
    // transformers itself does not believe the name
    boolean byteLevel = name.equals(LLAMA) && json.text().contains("\"ByteLevel\"");
    TokenizerClass found = new TokenizerClass(byteLevel ? "" : name, config);
    JsonNode model = json.rules().path("model").path("type");
    if (found.hasRules() && !model.isMissingNode() && !model.asText().equals("BPE")) {
      throw refused(asked, files, "but tokenizer.json holds no byte pairs");
    }
    return found;
  }

  private static InvalidDataException refused(String name, FolderFiles files, String why) {
    return new InvalidDataException(
        "'%s' has the tokenizer_class '%s', %s: write PreTrainedTokenizerFast in its place if tokenizer.json counts as it is."
            .formatted(files.nameOf(FolderFiles.CONFIG), name, why));
  }

  /** The tokens with a role that the class has by itself. */
  Map<String, String> defaults() {
    return DEFAULTS.getOrDefault(name, Map.of());
  }

  /** The tokenizer as the class makes it from the file. */
  TokenizerJson apply(TokenizerJson file) {
    if (!hasRules()) {
      return file;
    }
    ObjectNode rules = file.rules().deepCopy();
    rules.set("added_tokens", addedTokens(file));
    rules.set("model", model());
    switch (name) {
      case LLAMA -> {
        rules.putNull("normalizer");
        rules.set("pre_tokenizer", metaspace());
        rules.set("decoder", spaces());
      }
      case GPT2 -> {
        rules.putNull("normalizer");
        rules.set("pre_tokenizer", byteLevel(prefixSpace(false), true, true));
      }
      case GPT_NEOX -> {
        rules.set("normalizer", typed("NFC"));
        rules.set(
            "pre_tokenizer",
            byteLevel(prefixSpace(false), config.path("trim_offsets").asBoolean(true), true));
        rules.putNull("post_processor");
      }
      default -> {
        rules.set("normalizer", typed("NFC"));
        rules.set("pre_tokenizer", qwen2());
      }
    }
    if (!name.equals(LLAMA)) {
      rules.set("decoder", byteLevel(true, true, true));
    }
    return file.with(rules);
  }

  private boolean hasRules() {
    return DEFAULTS.containsKey(name);
  }

  /** The file's own, unless tokenizer_config.json has a list, which takes its place. */
  private ArrayNode addedTokens(TokenizerJson file) {
    List<JsonNode> tokens = new ArrayList<>();
    if (!config.has(TokenizerMarks.DECODER)) {
      file.addedTokens().forEach(tokens::add);
      tokens.sort(Comparator.comparingInt(token -> token.path("id").asInt()));
    }
    return JSON.createArrayNode().addAll(tokens);
  }

  private ObjectNode model() {
    boolean llama = name.equals(LLAMA);
    return typed("BPE").put("fuse_unk", llama).put("byte_fallback", llama);
  }

  private boolean prefixSpace(boolean otherwise) {
    return config.path("add_prefix_space").asBoolean(otherwise);
  }

  private ObjectNode metaspace() {
    String begin = config.path("legacy").asBoolean(false) ? "always" : "first";
    return typed("Metaspace")
        .put("replacement", "▁")
        .put("prepend_scheme", prefixSpace(true) ? begin : "never")
        .put("split", false);
  }

  private ObjectNode spaces() {
    ObjectNode replace = typed("Replace").put("content", " ");
    replace.putObject("pattern").put("String", "▁");
    ObjectNode all = typed("Sequence");
    ArrayNode steps = all.putArray("decoders");
    steps.add(replace).add(typed("ByteFallback")).add(typed("Fuse"));
    if (prefixSpace(true)) {
      steps.add(typed("Strip").put("content", " ").put("start", 1).put("stop", 0));
    }
    return all;
  }

  private ObjectNode qwen2() {
    ObjectNode split = typed("Split").put("behavior", "Isolated").put("invert", false);
    split.putObject("pattern").put("Regex", LlamaPattern.QWEN);
    ObjectNode all = typed("Sequence");
    all.putArray("pretokenizers").add(split).add(byteLevel(prefixSpace(false), true, false));
    return all;
  }

  private static ObjectNode byteLevel(boolean prefixSpace, boolean trimOffsets, boolean regex) {
    return typed("ByteLevel")
        .put("add_prefix_space", prefixSpace)
        .put("trim_offsets", trimOffsets)
        .put("use_regex", regex);
  }

  private static ObjectNode typed(String type) {
    return JSON.createObjectNode().put("type", type);
  }
}
