package dev.anneal.data.token;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.LfsPointer;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/** The small files of a tokenizer's folder. */
record FolderFiles(String folder, Storage storage) {
  static final String TOKENIZER = "tokenizer.json";
  static final String CONFIG = "tokenizer_config.json";
  static final String MODEL = "config.json";

  private static final JsonMapper JSON =
      JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

  /** The file's location. */
  String nameOf(String name) {
    return folder.endsWith("/") ? folder + name : folder + "/" + name;
  }

  /** The file's text; null where there is none. */
  String text(String name) {
    return textAt(nameOf(name), storage);
  }

  /** The file's content; an empty object where there is none. */
  JsonNode json(String name) {
    String text = text(name);
    try {
      JsonNode content = JSON.readTree(text == null ? "{}" : text);
      if (content.isObject()) {
        return content;
      }
      throw notJson(name, "", null);
    } catch (JsonProcessingException e) {
      String line = e.getLocation() == null ? "" : " (line " + e.getLocation().getLineNr() + ")";
      throw notJson(name, line, e);
    }
  }

  private InvalidDataException notJson(String name, String place, Exception cause) {
    return new InvalidDataException(
        "%s in '%s' is not JSON%s: copy it again from the model.".formatted(name, folder, place),
        cause);
  }

  /** The text of a file anywhere; null where there is none. */
  static String textAt(String location, Storage storage) {
    try {
      if (!storage.exists(location)) {
        return null;
      }
      try (InputStream in = storage.open(location)) {
        String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        if (LfsPointer.is(text)) {
          throw new InvalidDataException(LfsPointer.sentence(location));
        }
        return text;
      }
    } catch (IOException | IllegalArgumentException e) {
      throw new InvalidDataException(Storage.cannotRead(location, e), e);
    }
  }
}
