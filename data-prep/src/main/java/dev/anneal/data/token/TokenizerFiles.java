package dev.anneal.data.token;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.Serializable;
import java.time.Instant;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The contents of a tokenizer folder as transformers takes them, as they travel to executors.
 *
 * @param folder where they come from
 * @param tokenizerJson contents of {@code tokenizer.json}, with the tokens that the files beside it
 *     add
 * @param templates the chat templates
 * @param specialTokens contents of the tokens with a role by its name, such as {@code eos_token}
 * @param stopIds {@code eos_token_id} of {@code generation_config.json}, at which generation stops
 * @param renderedAt what {@code strftime_now} takes for now, the same on every executor
 */
public record TokenizerFiles(
    String folder,
    String tokenizerJson,
    TemplateChoice templates,
    Map<String, String> specialTokens,
    Set<Integer> stopIds,
    Instant renderedAt)
    implements Serializable {

  private static final String BOS = "bos_token";
  private static final String EOS = "eos_token";
  private static final String GENERATION = "generation_config.json";

  public TokenizerFiles {
    specialTokens = Map.copyOf(specialTokens);
    stopIds = Set.copyOf(stopIds);
  }

  /**
   * Files that are not read from a folder.
   *
   * @param chatTemplate null where there is none
   * @param bosToken null where there is none
   * @param eosToken null where there is none
   */
  public TokenizerFiles(
      String folder,
      String tokenizerJson,
      String chatTemplate,
      String bosToken,
      String eosToken,
      Instant renderedAt) {
    this(
        folder,
        tokenizerJson,
        chatTemplate == null ? TemplateChoice.NONE : TemplateChoice.of(chatTemplate, folder),
        roles(bosToken, eosToken),
        Set.of(),
        renderedAt);
  }

  private static Map<String, String> roles(String bosToken, String eosToken) {
    Map<String, String> roles = new TreeMap<>();
    if (bosToken != null) {
      roles.put(BOS, bosToken);
    }
    if (eosToken != null) {
      roles.put(EOS, eosToken);
    }
    return roles;
  }

  /** The Jinja text for conversations without tools; null where there is none. */
  public String chatTemplate() {
    return templates.plain();
  }

  /** The same files with the template for conversations with tools as the only one. */
  TokenizerFiles withTools() {
    TemplateChoice only = TemplateChoice.of(templates.withTools(), templates.origin());
    return new TokenizerFiles(folder, tokenizerJson, only, specialTokens, stopIds, renderedAt);
  }

  /** The same files for templates that take {@code now} for now. */
  public TokenizerFiles renderedAt(Instant now) {
    return new TokenizerFiles(folder, tokenizerJson, templates, specialTokens, stopIds, now);
  }

  /** Begin-of-text token; null where the tokenizer has none. */
  public String bosToken() {
    return specialTokens.get(BOS);
  }

  /** End-of-text token; null where the tokenizer has none. */
  public String eosToken() {
    return specialTokens.get(EOS);
  }

  /**
   * Reads {@code tokenizer.json} and what may stand beside it: {@code tokenizer_config.json},
   * {@code special_tokens_map.json}, {@code added_tokens.json}, {@code generation_config.json} and
   * the files of chat templates.
   *
   * @throws InvalidDataException if the folder lacks {@code tokenizer.json} or a file is broken
   */
  public static TokenizerFiles read(String folder, Storage storage) {
    return read(folder, null, storage);
  }

  /**
   * Same as {@link #read(String, Storage)}, with a template of the user's own.
   *
   * @param templateFile takes the place of the folder's templates; null for those
   */
  public static TokenizerFiles read(String folder, String templateFile, Storage storage) {
    FolderFiles files = new FolderFiles(folder, storage);
    String tokenizerJson = files.text(FolderFiles.TOKENIZER);
    if (tokenizerJson == null) {
      throw new InvalidDataException(
          "'" + folder + "' has no tokenizer.json: set model.tokenizer to a folder that has one.");
    }
    JsonNode config = files.json(FolderFiles.CONFIG);
    if (config.path("split_special_tokens").asBoolean(false)) {
      throw new InvalidDataException(
          "tokenizer_config.json in '"
              + folder
              + "' sets split_special_tokens, under which the marks of a chat template are no"
              + " tokens: set it to false.");
    }
    TokenizerJson file = parsed(tokenizerJson, folder);
    TokenizerClass rules = TokenizerClass.of(config, files, file);
    TokenizerMarks marks = marks(files, config, rules);
    AddedTokenList tokens = tokens(rules.apply(file), marks, folder);
    return new TokenizerFiles(
        folder,
        tokens.tokenizerJson(),
        templateFile == null
            ? new TemplateFiles(files).read(config)
            : TemplateChoice.of(userTemplate(templateFile, storage), templateFile),
        marks.roles(),
        stopIds(files),
        Instant.now());
  }

  private static Set<Integer> stopIds(FolderFiles files) {
    JsonNode ids = files.json(GENERATION).path("eos_token_id");
    return (ids.isArray() ? ids.valueStream() : Stream.of(ids))
        .filter(JsonNode::isInt)
        .map(JsonNode::intValue)
        .collect(Collectors.toSet());
  }

  private static TokenizerMarks marks(FolderFiles files, JsonNode config, TokenizerClass rules) {
    try {
      return TokenizerMarks.read(files, config, rules.defaults());
    } catch (NumberFormatException e) {
      throw new InvalidDataException(
          "added_tokens_decoder in '"
              + files.nameOf(FolderFiles.CONFIG)
              + "' has a key that is no token id: copy it again from the model.",
          e);
    }
  }

  private static TokenizerJson parsed(String json, String folder) {
    try {
      return TokenizerJson.parse(json);
    } catch (IOException e) {
      throw noTokenizer(folder, e);
    }
  }

  private static AddedTokenList tokens(TokenizerJson json, TokenizerMarks marks, String folder) {
    try {
      AddedTokenList tokens = AddedTokenList.of(json);
      marks.addTo(tokens);
      return tokens;
    } catch (IOException e) {
      throw noTokenizer(folder, e);
    }
  }

  static InvalidDataException noTokenizer(String folder, Exception cause) {
    return new InvalidDataException(
        "tokenizer.json in '"
            + folder
            + "' is not a Hugging Face tokenizer: copy it again from the model.",
        cause);
  }

  private static String userTemplate(String file, Storage storage) {
    String template = FolderFiles.textAt(file, storage);
    if (template == null || template.isBlank()) {
      throw new InvalidDataException(
          "data.template '"
              + file
              + "' "
              + (template == null ? "does not exist" : "is empty")
              + ": name a file with a Jinja chat template.");
    }
    return template;
  }
}
