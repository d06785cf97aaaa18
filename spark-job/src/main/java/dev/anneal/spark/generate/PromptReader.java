package dev.anneal.spark.generate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.token.Message;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Prompts of the command and of files. A file named {@code *.jsonl} or {@code *.json} has an object
 * a line, with a text {@code prompt} or a conversation {@code messages}; of any other every line is
 * a prompt. Empty lines are passed over.
 */
final class PromptReader {
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build();
  private static final String PROMPT = "prompt";
  private static final String MESSAGES = "messages";
  private static final String BYTE_ORDER_MARK = "\uFEFF";

  private PromptReader() {}

  /**
   * The prompts of a request.
   *
   * @throws BadRequestException if there are none, or naming the first that cannot be read
   */
  static List<AskedPrompt> read(GenerationRequest request, Storage storage) {
    if (request.promptFile() == null) {
      return IntStream.range(0, request.prompts().size())
          .mapToObj(i -> ofText("--prompt " + (i + 1), request.prompts().get(i)))
          .toList();
    }
    List<AskedPrompt> prompts = ofFile(request.promptFile(), storage);
    if (prompts.isEmpty()) {
      throw new BadRequestException(
          "%s holds no prompt: write one a line.".formatted(display(request.promptFile())));
    }
    return prompts;
  }

  private static List<AskedPrompt> ofFile(String file, Storage storage) {
    boolean json = file.endsWith(".jsonl") || file.endsWith(".json");
    List<AskedPrompt> prompts = new ArrayList<>();
    try (BufferedReader lines =
        new BufferedReader(
            // of what is no UTF-8 an exception, and not another text
            new InputStreamReader(storage.open(file), StandardCharsets.UTF_8.newDecoder()))) {
      int number = 0;
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        number++;
        if (number == 1 && line.startsWith(BYTE_ORDER_MARK)) {
          line = line.substring(BYTE_ORDER_MARK.length());
        }
        if (!line.isBlank()) {
          String place = "line %s of %s".formatted(number, display(file));
          prompts.add(json ? ofRow(place, line) : ofText(place, line));
        }
      }
      return prompts;
    } catch (CharacterCodingException e) {
      throw new BadRequestException(
          "%s is not UTF-8 behind its first %s prompts: convert it."
              .formatted(display(file), prompts.size()),
          e);
    } catch (IOException e) {
      throw new BadRequestException(Storage.cannotRead(file, e), e);
    }
  }

  private static AskedPrompt ofText(String place, String text) {
    return new AskedPrompt(
        place, JSON.createObjectNode().put(PROMPT, text), List.of(new Message("user", text)));
  }

  private static AskedPrompt ofRow(String place, String line) {
    if (!(parse(place, line) instanceof ObjectNode row)) {
      throw refusal(place, "is no JSON object");
    }
    if (row.path(PROMPT).isTextual()) {
      return new AskedPrompt(place, row, List.of(new Message("user", row.get(PROMPT).textValue())));
    }
    List<Message> messages = new ArrayList<>();
    for (JsonNode message : row.path(MESSAGES)) {
      if (!message.path("role").isTextual() || !message.path("content").isTextual()) {
        throw refusal(place, "has a message without a text role or content");
      }
      messages.add(
          new Message(message.get("role").textValue(), message.get("content").textValue()));
    }
    if (messages.isEmpty()) {
      throw refusal(place, "has neither a text 'prompt' nor a list 'messages'");
    }
    return new AskedPrompt(place, row, messages);
  }

  private static JsonNode parse(String place, String line) {
    try {
      return JSON.readTree(line);
    } catch (JsonProcessingException e) {
      throw refusal(place, "is not valid JSON");
    }
  }

  private static BadRequestException refusal(String place, String problem) {
    return new BadRequestException(
        "The prompt in %s %s: write {\"prompt\": \"...\"} or {\"messages\": [{\"role\": \"user\", \"content\": \"...\"}]}."
            .formatted(place, problem));
  }

  private static String display(String file) {
    return RunFolder.display(file);
  }
}
