package dev.anneal.data;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A tokenizer of bytes with two marks, and a template that shows all that it is given. */
public final class TinyTokenizer {
  public static final String TEMPLATE =
      "{% if tools %}{{ tools | tojson }}{% endif %}"
          + "{% for m in messages %}<s>{{ m.role }}:"
          + "{% if m.content is string %}{{ m.content }}{% endif %}"
          + "{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}</s>{% endfor %}"
          + "{% if add_generation_prompt %}<s>assistant:{% endif %}";

  private static final ObjectMapper JSON = new ObjectMapper();

  private TinyTokenizer() {}

  public static Path write(Path folder) throws IOException {
    ObjectNode vocabulary = JSON.createObjectNode();
    int next = 256;
    for (int value = 0; value < 256; value++) {
      boolean plain = (value > 32 && value < 127) || (value > 160 && value != 173);
      vocabulary.put(Character.toString(plain ? value : next++), value);
    }
    ObjectNode tokenizer =
        (ObjectNode)
            JSON.readTree(
                """
                {"version": "1.0", "normalizer": null, "post_processor": null,
                 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false,
                                   "trim_offsets": true, "use_regex": true},
                 "decoder": {"type": "ByteLevel", "add_prefix_space": false,
                             "trim_offsets": true, "use_regex": true},
                 "added_tokens": [],
                 "model": {"type": "BPE", "merges": []}}
                """);
    ((ObjectNode) tokenizer.get("model")).set("vocab", vocabulary);
    ObjectNode config = JSON.createObjectNode().put("chat_template", TEMPLATE);
    config.put("tokenizer_class", "PreTrainedTokenizerFast").put("eos_token", "</s>");
    config.put("pad_token", "<s>");
    Files.createDirectories(folder);
    Files.writeString(folder.resolve("tokenizer.json"), tokenizer.toString());
    Files.writeString(folder.resolve("tokenizer_config.json"), config.toString());
    return folder;
  }
}
