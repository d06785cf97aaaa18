package dev.anneal.spark.generate;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigContext;
import dev.anneal.spark.config.Locations;
import dev.anneal.spark.progress.ProgressDisplay.Medium;
import dev.anneal.spark.session.RunSession;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** Requests of programs, whose answers are rows. */
public final class GenerationFrames {
  private GenerationFrames() {}

  /**
   * Rows of a program with their answers, in their order.
   *
   * @param options see {@link GenerationOptions}
   */
  public static Dataset<Row> ofRows(
      String model,
      Dataset<Row> prompts,
      Map<String, ?> options,
      RunSession session,
      PrintWriter out) {
    GenerationOptions named = new GenerationOptions(options);
    if (named.text("output") != null) {
      throw new BadRequestException(
          "output is for prompts of a source: write the DataFrame that comes back, or name a table or files.");
    }
    FramePrompts frame = new FramePrompts(prompts, named.text("prompts_column"));
    GenerationRequest request =
        new GenerationRequest(
            config(named, model, session), named.decoding(), new PromptInput.Rows(frame), null);
    Generation.execute(request, session, frame, out, Medium.FILE);
    return frame.answered(session.open());
  }

  /**
   * What a source holds with the answers, in its order.
   *
   * @param options see {@link GenerationOptions}; with {@code output} the rows are read from there
   */
  public static Dataset<Row> ofSource(
      String model, String source, Map<String, ?> options, RunSession session, PrintWriter out) {
    GenerationOptions named = new GenerationOptions(options);
    String output = named.text("output");
    GenerationRequest request =
        new GenerationRequest(
            config(named, model, session),
            named.decoding(),
            new PromptInput.Source(
                Locations.resolve(source, Path.of("")), named.text("prompts_column"), true),
            output == null ? null : GenerationOutput.of(output));
    List<String> lines = new ArrayList<>();
    Generation.execute(
        request,
        session,
        (prompt, answer) -> lines.add(answer.line(prompt.given())),
        out,
        Medium.FILE);
    return rows(request.output(), lines, session.open());
  }

  private static Dataset<Row> rows(
      GenerationOutput output, List<String> lines, SparkSession spark) {
    if (output != null && output.form() == GenerationOutput.Form.PARQUET) {
      // Spark begins with the largest files
      return spark
          .read()
          .parquet(output.location())
          .orderBy("_metadata.file_name", "_metadata.row_index");
    }
    Dataset<String> texts =
        output == null
            ? spark.createDataset(lines, Encoders.STRING())
            : spark.read().textFile(output.location());
    try {
      return LineFrame.of(spark, texts, texts.first());
    } catch (IOException e) {
      throw new JobFailedException(
          "The answers cannot be read as rows (%s).".formatted(e.getMessage()), e);
    }
  }

  private static AnnealConfig config(GenerationOptions options, String model, RunSession session) {
    return options.config(model, ConfigContext.of(session.open()));
  }
}
