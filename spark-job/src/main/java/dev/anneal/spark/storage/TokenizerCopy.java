package dev.anneal.spark.storage;

import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/** Puts a tokenizer beside a model that was trained in full, so that its folder is complete. */
public final class TokenizerCopy {
  private static final List<String> FILES =
      List.of(
          "tokenizer.json",
          "tokenizer_config.json",
          "special_tokens_map.json",
          "chat_template.jinja",
          "generation_config.json");

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
    for (String file : FILES) {
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
