package dev.anneal.data.token;

import static java.util.stream.Collectors.joining;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Sha256;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

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
  private final int[] idsBeforeTexts;
  private final Map<String, Boolean> readFields = new ConcurrentHashMap<>();
  private final Set<Integer> addedIds;
  private final Set<Integer> specialIds;

  private ChatTokenizer(TokenizerFiles files, TokenizerJson json) {
    this.files = files;
    this.tokenizer = new NativeTokenizer(json.text());
    this.encoder = TextEncoders.of(json, tokenizer);
    this.template = files.chatTemplate() == null ? null : new ChatTemplate(files);
    this.toolTemplate =
        files.templates().withTools() == null ? null : new ChatTemplate(files.withTools());
    this.vocabSize = json.idBound();
    this.idsBeforeTexts = json.idsBeforeTexts();
    this.addedIds = json.addedIds();
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
      throw TokenizerFiles.noTokenizer(files.folder(), e);
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
   * Whether generation may stop at a token that stands behind what the assistant says: {@code
   * eos_token}, one that {@code generation_config.json} names, and any mark but that of the
   * beginning, as {@code <|im_end|>} is one.
   */
  public boolean stopsGeneration(int id) {
    if (files.stopIds().contains(id) || eosId().equals(OptionalInt.of(id))) {
      return true;
    }
    return !idOf(files.bosToken()).equals(OptionalInt.of(id))
        && (specialIds.contains(id) || isMark(id));
  }

  // some tokenizers do not call their marks special
  private boolean isMark(int id) {
    if (!addedIds.contains(id)) {
      return false;
    }
    String text = decode(new int[] {id}, SpecialTokens.KEEP);
    return text.length() > 2 && text.startsWith("<") && text.endsWith(">");
  }

  /** Whether a chat template may read this field of a turn: whether it names it. */
  public boolean mayRead(String field) {
    return readFields.computeIfAbsent(
        field, name -> ChatTemplate.namesOf(name).stream().anyMatch(files.templates()::mentions));
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

  /** Ids that the tokenizer itself puts before a text, such as that of the begin-of-text token. */
  public int[] idsBeforeTexts() {
    return idsBeforeTexts.clone();
  }

  /** In a sentence: the tokens that a text begins and ends with. */
  public String description() {
    return "Begin of text: %s; end of text: %s."
        .formatted(
            idsBeforeTexts.length == 0
                ? "none is put before a text"
                : Arrays.stream(idsBeforeTexts).mapToObj(this::named).collect(joining(" ")),
            eosId().isPresent() ? named(eosId().getAsInt()) : "none");
  }

  private String named(int id) {
    return "%s (%s)".formatted(decode(new int[] {id}, SpecialTokens.KEEP), id);
  }

  /** Id of the end-of-text token; empty where the tokenizer has none. */
  public OptionalInt eosId() {
    return idOf(files.eosToken());
  }

  /**
   * SHA-256 of {@code tokenizer.json} as it was taken and of the tokens with a role, in
   * hexadecimal.
   */
  public String tokenizerSha256() {
    Sha256 sha256 = new Sha256();
    sha256.addLine(files.tokenizerJson());
    new TreeMap<>(files.specialTokens()).forEach(sha256::addLine);
    return sha256.hex();
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
    encoder.close();
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
