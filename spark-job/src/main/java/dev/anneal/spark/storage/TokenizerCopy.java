package dev.anneal.spark.storage;

import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;

/** Puts a tokenizer beside a model that was trained in full, so that its folder is complete. */
public final class TokenizerCopy {
  private static final List<String> FILES =
      List.of(
          "tokenizer.json",
          "tokenizer_config.json",
          "special_tokens_map.json",
          "added_tokens.json",
          "chat_template.jinja",
          "chat_template.json",
          "generation_config.json");

  private static final String TEMPLATES = "additional_chat_templates";

  private TokenizerCopy() {}

  /**
   * Copies what there is of a tokenizer's files into the folder of the trained model.
   *
   * @param template chat template that the model was trained with in the place of the tokenizer's;
   *     {@code null} for the tokenizer's
   */
  public static void copy(String tokenizerFolder, String template, RunFolder run)
      throws IOException {
    Storage storage = run.storage();
    List<String> files = new ArrayList<>(FILES);
    for (FileInfo file : storage.list(tokenizerFolder + "/" + TEMPLATES)) {
      files.add(TEMPLATES + file.uri().substring(file.uri().lastIndexOf('/')));
    }
    for (String file : files) {
      String source = tokenizerFolder + "/" + file;
      if (storage.exists(source)) {
        try (InputStream in = storage.open(source)) {
          run.write(RunFolder.MODEL + "/" + file, in.readAllBytes());
        }
      }
    }
    if (template != null) {
      try (InputStream in = storage.open(template)) {
        run.write(RunFolder.MODEL + "/chat_template.jinja", in.readAllBytes());
      }
    }
  }
}
