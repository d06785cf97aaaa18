package dev.anneal.data.token;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.InvalidDataException;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.time.Instant;

/**
 * The contents of a tokenizer folder, as they travel to executors.
 *
 * @param folder where they come from
 * @param tokenizerJson contents of {@code tokenizer.json}
 * @param chatTemplate Jinja text; null where the folder has none
 * @param bosToken begin-of-text token; null where the tokenizer has none
 * @param eosToken end-of-text token; null where the tokenizer has none
 * @param renderedAt what {@code strftime_now} takes for now, the same on every executor
 */
public record TokenizerFiles(
    String folder,
    String tokenizerJson,
    String chatTemplate,
    String bosToken,
    String eosToken,
    Instant renderedAt)
    implements Serializable {

  /**
   * Reads {@code tokenizer.json}, {@code tokenizer_config.json} and {@code chat_template.jinja};
   * only the first must be there.
   *
   * @throws InvalidDataException if the folder lacks {@code tokenizer.json} or a file is broken
   */
  public static TokenizerFiles read(String folder, Storage storage) {
    return read(folder, null, storage);
  }

  /**
   * Same as {@link #read(String, Storage)}, with a template of the user's own.
   *
   * @param templateFile takes the place of the folder's template; null for that one
   */
  public static TokenizerFiles read(String folder, String templateFile, Storage storage) {
    String tokenizerJson = readText(folder, "tokenizer.json", storage);
    if (tokenizerJson == null) {
      throw new InvalidDataException(
          "'" + folder + "' has no tokenizer.json: set model.tokenizer to a folder that has one.");
    }
    JsonNode config = config(folder, storage);
    return new TokenizerFiles(
        folder,
        tokenizerJson,
        templateFile == null
            ? template(folder, config, storage)
            : userTemplate(templateFile, storage),
        specialToken(config.path("bos_token")),
        specialToken(config.path("eos_token")),
        Instant.now());
  }

  private static JsonNode config(String folder, Storage storage) {
    String text = readText(folder, "tokenizer_config.json", storage);
    try {
      return new ObjectMapper().readTree(text == null ? "{}" : text);
    } catch (JsonProcessingException e) {
      throw new InvalidDataException(
          "tokenizer_config.json in '"
              + folder
              + "' is not JSON"
              + (e.getLocation() == null ? "" : " (line " + e.getLocation().getLineNr() + ")")
              + ": copy it again from the model.",
          e);
    }
  }

  private static String template(String folder, JsonNode config, Storage storage) {
    String file = readText(folder, "chat_template.jinja", storage);
    return file == null ? templateOf(config.path("chat_template")) : file;
  }

  private static String userTemplate(String file, Storage storage) {
    String template = readText(file, storage);
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

  private static String readText(String folder, String name, Storage storage) {
    return readText(folder.endsWith("/") ? folder + name : folder + "/" + name, storage);
  }

  private static String readText(String location, Storage storage) {
    try {
      if (!storage.exists(location)) {
        return null;
      }
      try (InputStream in = storage.open(location)) {
        return new String(in.readAllBytes(), StandardCharsets.UTF_8);
      }
    } catch (IOException | IllegalArgumentException e) {
      throw new InvalidDataException(Storage.cannotRead(location, e), e);
    }
  }

  // A list holds named templates, of which "default" is the one for conversations.
  private static String templateOf(JsonNode template) {
    if (template.isArray()) {
      for (JsonNode named : template) {
        if ("default".equals(named.path("name").asText())) {
          return named.path("template").textValue();
        }
      }
    }
    return template.textValue();
  }

  private static String specialToken(JsonNode token) {
    return token.isObject() ? token.path("content").textValue() : token.textValue();
  }
}
