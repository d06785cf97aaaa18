package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.s3.FaultyStore;
import dev.anneal.spark.s3.S3Server;
import dev.anneal.spark.s3.StoreConfiguration;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Keys that a store does not take: from the start, and from the middle of a run on. */
@Tag("faults")
class WrongKeysIT {
  private static final String KEY = "a-key";
  private static final String REFUSES = "The object store refuses access to s3a://runs/out";

  @TempDir Path folder;

  @Test
  void areToldInOneSentence() throws Exception {
    try (S3Server server = S3Server.start(folder);
        FaultyStore store = FaultyStore.before(server)) {
      store.forbid(KEY);
      try (SubmittedJob job = SubmittedJob.start(folder, command(store))) {
        assertThat(job.await()).as(job.out() + job.err()).isBetween(1, 2);
        assertThat(job.err().lines())
            .singleElement()
            .asString()
            .startsWith("anneal: " + REFUSES)
            .endsWith(
                "(403 Forbidden): correct the credentials, or let them read and write there.");
      }
      store.renew();
      try (SubmittedJob job = SubmittedJob.start(folder, command(store))) {
        job.awaitOutput(" 1/200 ");
        store.forbid(KEY);
        assertThat(job.await()).as(job.out() + job.err()).isEqualTo(1);
        assertThat(job.err().lines()).singleElement().asString().startsWith("anneal: ");
        assertThat(job.err()).contains("The object store refuses access");
        assertThat(job.out()).doesNotContain("Service: S3", "Status Code");
      }
    }
  }

  private static String[] command(FaultyStore store) {
    List<String> args = new ArrayList<>(List.of("run", "--config=" + SubmittedJob.recipe()));
    args.addAll(List.of("--set=training.max_steps=200", "--set=data.eval_rows=0"));
    args.addAll(List.of("--set=checkpoint.every_steps=2", "--set=evaluation.sample_rows=0"));
    args.add("--set=output.path=" + S3Server.uri("out"));
    StoreConfiguration.of(store.endpoint())
        .forEach(
            (key, value) -> args.addAll(List.of("--conf", "spark.hadoop." + key + "=" + value)));
    args.addAll(List.of("--conf", "spark.hadoop.fs.s3a.access.key=" + KEY));
    args.addAll(List.of("--conf", "spark.hadoop.fs.s3a.secret.key=any"));
    return args.toArray(String[]::new);
  }
}
