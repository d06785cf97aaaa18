package dev.anneal.spark.output;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;
import java.util.List;

/**
 * {@code samples.json} of a run that was evaluated on its way: held-out prompts, and how the model
 * continued them after how many steps.
 */
public final class SamplesFile {
  private static final ObjectMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private SamplesFile() {}

  /** Writes it, if there is something to write. */
  public static void write(RunFolder folder, List<Answer> answers) throws IOException {
    if (answers.isEmpty()) {
      return;
    }
    ArrayNode all = JSON.createArrayNode();
    for (Answer answer : answers) {
      ArrayNode texts = all.addObject().put("prompt", answer.prompt()).putArray("answers");
      answer
          .continuations()
          .forEach((step, text) -> texts.addObject().put("step", step).put("text", text));
    }
    folder.write(RunFolder.SAMPLES, JSON.writeValueAsBytes(all));
  }
}
