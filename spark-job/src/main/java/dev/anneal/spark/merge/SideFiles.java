package dev.anneal.spark.merge;

import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import dev.anneal.training.model.config.LlamaConfig;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
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

  /** Their names, below the folder. */
  static List<String> names(String model, Storage storage) throws IOException {
    List<String> names = new ArrayList<>(names(model, "", storage));
    if (storage.exists(model + "/" + TEMPLATES)) {
      names.addAll(names(model + "/" + TEMPLATES, TEMPLATES + "/", storage));
    }
    return names;
  }

  private static List<String> names(String folder, String into, Storage storage)
      throws IOException {
    return storage.list(folder).stream()
        .map(file -> file.uri().substring(file.uri().lastIndexOf('/') + 1))
        .filter(SideFiles::belongs)
        .map(name -> into + name)
        .toList();
  }

  /** Copies those of these names. */
  static void copy(List<String> names, String model, RunFolder output) throws IOException {
    Storage storage = output.storage();
    for (String name : names) {
      output.write(
          name,
          out -> {
            try (InputStream in = storage.open(model + "/" + name)) {
              in.transferTo(out);
            }
          });
    }
  }

  private static boolean belongs(String name) {
    return WEIGHTS.stream().noneMatch(name::endsWith)
        && !name.equals(LlamaConfig.FILE)
        && !name.equals(MergeRecord.FILE);
  }
}
