package dev.anneal.spark.merge;

import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import dev.anneal.training.model.LlamaConfig;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/** What a model folder has beside its weights: tokenizer, chat templates, licence and others. */
final class SideFiles {
  static final String TEMPLATES = "additional_chat_templates";

  /** Weights in all forms, and what names the files of them. */
  private static final List<String> WEIGHTS =
      List.of(
          ".safetensors",
          ".safetensors.index.json",
          ".bin",
          ".bin.index.json",
          ".pt",
          ".pth",
          ".gguf",
          ".h5",
          ".msgpack",
          ".onnx",
          ".tflite");

  private SideFiles() {}

  /** Copies them. */
  static void copy(String model, RunFolder output) throws IOException {
    copy(model, "", output);
    if (output.storage().exists(model + "/" + TEMPLATES)) {
      copy(model + "/" + TEMPLATES, TEMPLATES + "/", output);
    }
  }

  private static void copy(String from, String into, RunFolder output) throws IOException {
    Storage storage = output.storage();
    for (FileInfo file : storage.list(from)) {
      String name = file.uri().substring(file.uri().lastIndexOf('/') + 1);
      if (belongs(name)) {
        output.write(
            into + name,
            out -> {
              try (InputStream in = storage.open(file.uri())) {
                in.transferTo(out);
              }
            });
      }
    }
  }

  private static boolean belongs(String name) {
    return WEIGHTS.stream().noneMatch(name::endsWith)
        && !name.equals(LlamaConfig.FILE)
        && !name.equals(MergeRecord.FILE);
  }
}
