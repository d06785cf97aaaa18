package dev.anneal.spark.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import dev.anneal.storage.Storage;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;

/** Rows that hold more than prompts. */
class PromptReaderTest {
  private final List<AskedPrompt> prompts = new ArrayList<>();
  private final PromptReader reader =
      new PromptReader(new Storage(new Configuration()), null, "name"::equals, prompts::add);

  @Test
  void whatATemplateWouldReadOfAMessageIsNotLeftOut() {
    reader.row("row 1", message("\"name\": null, \"weight\": 1"));
    assertThat(prompts).hasSize(1);
    assertThatThrownBy(() -> reader.row("row 2", message("\"name\": \"Ann\"")))
        .isInstanceOf(BadRequestException.class)
        .hasMessage(
            "The prompt in row 2 has 'name', which generate does not give to the template: remove it.");
  }

  @Test
  void namesThatAreToBeColumnsDifferInMoreThanTheirCase() {
    reader.row("row 1", "{\"prompt\": \"a\", \"Id\": 1, \"more\": [{\"a\": 1}, {\"a\": 2}]}");
    reader.row("row 2", "{\"prompt\": \"a\", \"id\": 1, \"more\": [{\"A\": 1}]}");
    reader.requireColumns();
    reader.row("row 3", "{\"prompt\": \"a\", \"Id\": 1, \"more\": [{\"a\": 1, \"Id\": 2}]}");
    for (String other : List.of("\"id\": 1", "\"more\": [{\"A\": 1}]")) {
      assertThatThrownBy(() -> reader.row("row 4", "{\"prompt\": \"a\", " + other + "}"))
          .isInstanceOf(BadRequestException.class)
          .hasMessageContaining("Spark takes for one column");
    }
  }

  private static String message(String more) {
    return "{\"messages\": [{\"role\": \"user\", \"content\": \"a\", " + more + "}]}";
  }
}
