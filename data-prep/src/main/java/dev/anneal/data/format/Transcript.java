package dev.anneal.data.format;

import com.fasterxml.jackson.databind.JsonNode;
import dev.anneal.data.token.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A conversation that is written down in one text, with a mark before each turn. */
enum Transcript {
  CHIP2("(?m)^[ \\t]*<(human|bot)>:"),
  HH_RLHF("(?:^|\\n\\n)[ \\t]*(Human|Assistant):"),
  GUANACO("###[ \\t]*(Human|Assistant):");

  private final Pattern mark;

  Transcript(String mark) {
    this.mark = Pattern.compile(mark);
  }

  Example parse(JsonNode row, String field) throws BadRowException {
    String text = Fields.text(row, field);
    List<Message> messages = new ArrayList<>();
    Matcher marks = mark.matcher(text);
    boolean found = marks.find();
    if (!found || !text.substring(0, marks.start()).isBlank()) {
      throw new BadRowException("the text does not begin with the mark of a turn");
    }
    while (found) {
      String role = roleOf(marks.group(1));
      int start = marks.end();
      found = marks.find();
      String content = text.substring(start, found ? marks.start() : text.length()).strip();
      if (content.isEmpty()) {
        throw new BadRowException("a turn of the conversation is empty");
      }
      messages.add(new Message(role, content));
    }
    ConversationRows.checkRoles(messages);
    return RowContext.around(row, messages, TemplateVariables.of(row));
  }

  private static String roleOf(String mark) {
    return switch (mark) {
      case "human", "Human" -> "user";
      default -> "assistant";
    };
  }
}
