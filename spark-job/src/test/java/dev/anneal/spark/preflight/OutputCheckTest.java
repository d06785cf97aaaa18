package dev.anneal.spark.preflight;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.spark.storage.RunFolder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutputCheckTest {
  @TempDir Path output;

  @Test
  void aFolderOfSomebodyElsesIsNotRemovedByARunThatMakesNone() throws Exception {
    assertThat(replaced())
        .contains("adapter")
        .doesNotContain("tensorboard", "eval-dataset", "profile");
    record("not JSON");
    assertThat(replaced()).doesNotContain("tensorboard", "eval-dataset");
    assertThat(
            replaced("tracking.tensorboard=true", "data.eval_source=rows.jsonl", "profile.steps=1"))
        .contains("tensorboard", "eval-dataset", "profile");
  }

  @Test
  void whatTheRunBeforeHasMadeIsRemovedByARunThatMakesNone() throws Exception {
    record("{\"state\": \"failed\", \"config\": {\"tracking\": {\"tensorboard\": true}}}");
    assertThat(replaced()).contains("tensorboard").doesNotContain("eval-dataset");
    record("{\"state\": \"failed\", \"config\": {\"data\": {\"eval_source\": \"rows.jsonl\"}}}");
    assertThat(replaced()).contains("eval-dataset").doesNotContain("tensorboard");
  }

  private void record(String json) throws Exception {
    Files.writeString(output.resolve("run.json"), json);
  }

  private List<String> replaced(String... settings) throws Exception {
    AnnealConfig config = ConfigLoader.load(null, List.of(settings), output);
    return OutputCheck.replacedFolders(
        Request.of(Request.Command.RUN, config, Request.Existing.KEEP),
        new RunFolder(output.toUri().toString(), new Configuration()));
  }
}
