package dev.anneal.spark.output;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.spark.storage.RunFolder;
import java.io.IOException;

/**
 * {@code samples.json} of a run that was evaluated on its way: held-out prompts, and how the model
 * continued them after how many steps.
 */
public final class SamplesFile {
  private static final ObjectMapper JSON =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

  private SamplesFile() {}

  /**
   * Writes it, if there is something to write.
   *
   * @param tokenizer {@code null} where there is none to read samples with
   */
  public static void write(RunFolder folder, Outcome outcome, ChatTokenizer tokenizer)
      throws IOException {
    if (tokenizer == null || outcome.end().isEmpty() || outcome.samples().isEmpty()) {
      return;
    }
    ArrayNode all = JSON.createArrayNode();
    for (Outcome.Sample sample : outcome.samples()) {
      ObjectNode json = all.addObject().put("prompt", Answer.text(sample.prompt(), tokenizer));
      ArrayNode answers = json.putArray("answers");
      sample
          .continuations()
          .forEach(
              (step, ids) ->
                  answers.addObject().put("step", step).put("text", Answer.text(ids, tokenizer)));
    }
    folder.write(RunFolder.SAMPLES, JSON.writeValueAsBytes(all));
  }
}
