import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.format.BadRowException;
import dev.anneal.data.format.Example;
import dev.anneal.data.format.RowFormat;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.GenerationPrompt;
import dev.anneal.storage.Storage;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.hadoop.conf.Configuration;

/**
 * Renders the rows of Alpaca with the chat template of a tokenizer's folder, on one thread and over
 * and over, and prints how many in a second of its CPU time. Run by bench/prep/render.py.
 *
 * <p>Arguments: file of Alpaca rows, folder of the tokenizer.
 */
final class RenderBench {
  private static final int PASSES = 10;

  private RenderBench() {}

  public static void main(String[] args) throws IOException {
    List<Example.Chat> chats = new ArrayList<>();
    for (JsonNode row : new ObjectMapper().readTree(new File(args[0]))) {
      try {
        chats.add((Example.Chat) RowFormat.ALPACA.parse(row));
      } catch (BadRowException e) {
        // a row without an answer
      }
    }
    try (ChatTokenizer tokenizer = ChatTokenizer.load(args[1], new Storage(new Configuration()))) {
      for (int pass = 1; pass <= PASSES; pass++) {
        long start = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
        for (Example.Chat chat : chats) {
          tokenizer.render(chat.messages(), chat.variables(), GenerationPrompt.OMIT);
        }
        long nanos = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - start;
        System.out.printf(
            Locale.ROOT,
            "pass %2d: %,d rows, %,.0f a CPU second%n",
            pass,
            chats.size(),
            chats.size() * 1e9 / nanos);
      }
    }
  }
}
