package dev.anneal.data.token;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Sha256;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A model's own tokenizer with its own chat template. Safe for use by several threads; closing
 * frees the native vocabulary.
 */
public final class ChatTokenizer implements AutoCloseable {
  private final TokenizerFiles files;
  private final NativeTokenizer tokenizer;
  private final TextEncoder encoder;
  // null where there is none
  private final ChatTemplate template;
  // null where conversations with tools have none of their own
  private final ChatTemplate toolTemplate;
  private final int vocabSize;
  private final OptionalInt bosId;
  private final Set<Integer> specialIds;

  private ChatTokenizer(TokenizerFiles files, TokenizerJson json) {
    this.files = files;
    this.tokenizer = new NativeTokenizer(json.text());
    this.encoder = TextEncoders.of(json, tokenizer);
    this.template = files.chatTemplate() == null ? null : new ChatTemplate(files);
    this.toolTemplate =
        files.templates().withTools() == null ? null : new ChatTemplate(files.withTools());
    this.vocabSize = json.idBound();
    this.bosId = bosBeforeTexts();
    this.specialIds = json.specialIds();
  }

  /**
   * Loads a Hugging Face tokenizer folder from a local path or any Hadoop URI.
   *
   * @throws InvalidDataException if {@code tokenizer.json} is missing or broken
   */
  public static ChatTokenizer load(String folder, Storage storage) {
    return of(TokenizerFiles.read(folder, storage));
  }

  /** Same as {@link #load}, from files that were read before. */
  public static ChatTokenizer of(TokenizerFiles files) {
    NativeTokenizer.requireLibrary();
    try {
      TokenizerJson json = TokenizerJson.parse(files.tokenizerJson());
      TextEncoders.requireLoadable(json);
      return new ChatTokenizer(files, json);
    } catch (IOException | RuntimeException e) {
      throw new InvalidDataException(
          "tokenizer.json in '"
              + files.folder()
              + "' is not a Hugging Face tokenizer: copy it again from the model.",
          e);
    }
  }

  /** Largest token id plus one. */
  public int vocabSize() {
    return vocabSize;
  }

  /**
   * Makes sure that conversations can be rendered.
   *
   * @throws InvalidDataException if the folder holds no chat template
   */
  public void requireChatTemplate() {
    if (files.templates().isEmpty()) {
      throw new InvalidDataException(
          "'"
              + files.folder()
              + "' has no chat template: add chat_template.jinja, or use data.format text or"
              + " tokenized.");
    }
  }

  /**
   * The conversation as the model's template writes it, begin-of-text included.
   *
   * @throws InvalidDataException if the folder holds no chat template or one that cannot be
   *     rendered
   * @throws TemplateRefusalException if the template refuses the conversation or fails on it
   */
  public String render(List<Message> messages, GenerationPrompt generationPrompt) {
    return render(messages, Map.of(), generationPrompt).text();
  }

  /** Same as above, with what the template takes beside the messages, such as {@code tools}. */
  public RenderedChat render(
      List<Message> messages, Map<String, Object> variables, GenerationPrompt generationPrompt) {
    requireChatTemplate();
    ChatTemplate chosen =
        toolTemplate != null && variables.get("tools") != null ? toolTemplate : template;
    if (chosen == null) {
      throw new InvalidDataException(
          "'"
              + files.folder()
              + "' has several chat templates and none of them is called 'default': name the one to"
              + " use with data.template.");
    }
    return chosen.render(messages, variables, generationPrompt);
  }

  /**
   * Whether a token ends a turn where a template puts it: a special one, as it is not part of any
   * text.
   */
  public boolean isSpecial(int id) {
    return specialIds.contains(id);
  }

  /**
   * Whether generation may stop at a token that stands behind what the assistant says: {@code
   * eos_token}, one that {@code generation_config.json} names, and any mark but that of the
   * beginning, as {@code <|im_end|>} is one.
   */
  public boolean stopsGeneration(int id) {
    if (files.stopIds().contains(id) || eosId().equals(OptionalInt.of(id))) {
      return true;
    }
    return !idOf(files.bosToken()).equals(OptionalInt.of(id)) && (isSpecial(id) || isMark(id));
  }

  // some tokenizers do not call their marks special
  private boolean isMark(int id) {
    String text = decode(new int[] {id}, SpecialTokens.KEEP);
    return text.length() > 2 && text.startsWith("<") && text.endsWith(">");
  }

  /** Ids of the text as it stands: nothing is put in front or behind, nothing is cut. */
  public int[] encode(String text) {
    return encoder.ids(text);
  }

  /** Same as {@link #encode}, with the place of each token in the text. */
  public EncodedText encodeWithOffsets(String text) {
    return encoder.encode(text);
  }

  public String decode(int[] ids, SpecialTokens specialTokens) {
    return tokenizer.decode(ids, specialTokens);
  }

  /** Id of the begin-of-text token; empty where the tokenizer puts none before a text. */
  public OptionalInt bosId() {
    return bosId;
  }

  private OptionalInt bosBeforeTexts() {
    int[] around = tokenizer.encodeBetweenItsOwn("");
    OptionalInt bos = idOf(files.bosToken());
    return around.length > 0 && bos.isPresent() && around[0] == bos.getAsInt()
        ? bos
        : OptionalInt.empty();
  }

  /** In a sentence: the tokens that a text begins and ends with. */
  public String description() {
    return "Begin of text: %s; end of text: %s."
        .formatted(
            named(files.bosToken(), bosId(), "none is put before a text"),
            named(files.eosToken(), eosId(), "none"));
  }

  private static String named(String token, OptionalInt id, String none) {
    return id.isPresent() ? "%s (%s)".formatted(token, id.getAsInt()) : none;
  }

  /** Id of the end-of-text token; empty where the tokenizer has none. */
  public OptionalInt eosId() {
    return idOf(files.eosToken());
  }

  /** SHA-256 of {@code tokenizer.json}, in hexadecimal. */
  public String tokenizerSha256() {
    return Sha256.of(files.tokenizerJson());
  }

  /** SHA-256 of the chat template, in hexadecimal; empty where there is none. */
  public Optional<String> templateSha256() {
    return files.templates().sha256();
  }

  /** The date that the template writes into its text; empty for a template that writes none. */
  public Optional<LocalDate> templateDate() {
    return files.templates().mentions("strftime_now")
        ? Optional.of(files.renderedAt().atZone(ZoneOffset.UTC).toLocalDate())
        : Optional.empty();
  }

  @Override
  public void close() {
    tokenizer.close();
  }

  private OptionalInt idOf(String specialToken) {
    if (specialToken == null) {
      return OptionalInt.empty();
    }
    int[] ids = tokenizer.ids(specialToken);
    return ids.length == 1 ? OptionalInt.of(ids[0]) : OptionalInt.empty();
  }
}
