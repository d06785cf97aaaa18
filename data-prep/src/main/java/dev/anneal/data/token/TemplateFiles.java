package dev.anneal.data.token;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Finds the chat templates of a folder where transformers finds them: files of their own take the
 * place of {@code tokenizer_config.json}'s, all of them. {@code chat_template.json}, which only
 * processors read, is the last resort.
 */
final class TemplateFiles {
  private static final String FILE = "chat_template.jinja";
  private static final String FOLDER = "additional_chat_templates";
  private static final String SUFFIX = ".jinja";
  private static final String OF_PROCESSORS = "chat_template.json";
  private static final String KEY = "chat_template";

  private final FolderFiles files;

  TemplateFiles(FolderFiles files) {
    this.files = files;
  }

  /**
   * The templates of the folder.
   *
   * @param config contents of {@code tokenizer_config.json}
   */
  TemplateChoice read(JsonNode config) {
    Map<String, String> ownFiles = ownFiles();
    if (!ownFiles.isEmpty()) {
      return new TemplateChoice(ownFiles, origin(ownFiles));
    }
    Map<String, String> ofConfig = named(config.path(KEY), FolderFiles.CONFIG);
    if (!ofConfig.isEmpty()) {
      return new TemplateChoice(ofConfig, files.nameOf(FolderFiles.CONFIG));
    }
    JsonNode ofProcessors = files.json(OF_PROCESSORS);
    return new TemplateChoice(
        named(ofProcessors.path(KEY), OF_PROCESSORS), files.nameOf(OF_PROCESSORS));
  }

  private String origin(Map<String, String> ownFiles) {
    return files.nameOf(ownFiles.containsKey("default") ? FILE : FOLDER);
  }

  private Map<String, String> ownFiles() {
    Map<String, String> found = new TreeMap<>();
    String template = files.text(FILE);
    if (template != null) {
      found.put("default", template);
    }
    for (FileInfo file : additional()) {
      String name = file.uri().substring(file.uri().lastIndexOf('/') + 1);
      if (name.endsWith(SUFFIX)) {
        found.put(
            name.substring(0, name.length() - SUFFIX.length()), files.text(FOLDER + "/" + name));
      }
    }
    return found;
  }

  private List<FileInfo> additional() {
    String folder = files.nameOf(FOLDER);
    try {
      return files.storage().list(folder);
    } catch (IOException e) {
      throw new InvalidDataException(Storage.cannotRead(folder, e), e);
    }
  }

  /** One text, a list of named ones, or an object of named ones. */
  private Map<String, String> named(JsonNode template, String file) {
    Map<String, String> named = new TreeMap<>();
    if (template.isTextual()) {
      named.put("default", template.textValue());
    } else if (template.isArray()) {
      template.forEach(one -> put(named, one.path("name").textValue(), one.path("template"), file));
    } else if (template.isObject()) {
      template.properties().forEach(one -> put(named, one.getKey(), one.getValue(), file));
    } else if (!template.isNull() && !template.isMissingNode()) {
      throw broken(file);
    }
    return named;
  }

  private void put(Map<String, String> named, String name, JsonNode template, String file) {
    if (name == null || !template.isTextual()) {
      throw broken(file);
    }
    named.put(name, template.textValue());
  }

  private InvalidDataException broken(String file) {
    return new InvalidDataException(
        "chat_template in '"
            + files.nameOf(file)
            + "' is neither a text nor a list of templates with name and template: correct it, or"
            + " name another with data.template.");
  }
}
