package dev.anneal.spark.train;

import dev.anneal.data.task.ObjectBytes;
import dev.anneal.spark.progress.BytesEndpoint;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.training.generate.Prompt;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.SparkContext;

/** Where ranks that answer prompts find the driver. */
public final class PromptServer implements AutoCloseable {
  private final PromptDesk desk;
  private final BytesEndpoint endpoint;

  private PromptServer(SparkContext spark, String name, PromptDesk desk) {
    this.desk = desk;
    this.endpoint = BytesEndpoint.open(spark, name, this::answer);
  }

  /**
   * Opens it.
   *
   * @param name that ranks know it by
   */
  public static PromptServer open(SparkContext spark, String name, PromptDesk desk) {
    return new PromptServer(spark, name, desk);
  }

  private byte[] answer(byte[] bytes) {
    PromptMessage message = PromptMessage.of(bytes);
    if (message instanceof PromptMessage.Ask) {
      Optional<List<Prompt>> next = desk.next();
      return ObjectBytes.of(next.<Object>map(ArrayList::new).orElse(null));
    }
    if (message instanceof PromptMessage.Token token) {
      return ObjectBytes.of(desk.token(token.prompt(), token.token()));
    }
    if (message instanceof PromptMessage.Done done) {
      desk.done(done.completions());
    } else if (message instanceof PromptMessage.Phase phase) {
      desk.phase(phase.phase());
    } else if (message instanceof PromptMessage.Progress part) {
      desk.progress(new RankEvent.Progress(part.phase(), part.doneBytes(), part.totalBytes()));
    }
    return ObjectBytes.of(true);
  }

  @Override
  public void close() {
    endpoint.close();
  }
}
