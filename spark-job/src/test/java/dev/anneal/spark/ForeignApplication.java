package dev.anneal.spark;

import java.io.PrintStream;
import java.util.HashMap;
import java.util.Map;
import org.apache.spark.sql.SparkSession;

/**
 * An application with a session of its own, as a job service or a notebook has it: Anneal is one of
 * the things that it does, by its API and by its main class, and none of them may end it.
 */
public final class ForeignApplication {
  private ForeignApplication() {}

  /**
   * Says what became of each call, and in the end that it is still there.
   *
   * @param args a recipe and a folder for outputs
   */
  public static void main(String[] args) {
    String recipe = args[0];
    SparkSession spark = SparkSession.builder().getOrCreate();
    PrintStream err = System.err;
    Map<String, Object> config =
        Map.of("output.path", args[1] + "/api", "training.max_steps", 3, "cluster.nodes", 2);
    RunResult result = Anneal.on(spark).run(recipe, config);
    System.out.println("api: " + result.metrics().where("loss is not null").count() + " steps");
    String merged =
        Anneal.on(spark)
            .merge(result.adapter(), args[1] + "/merged", Map.of("dtype", "bf16", "verify", true));
    System.out.println("merged: " + merged);
    Anneal.main(
        new String[] {
          "run",
          "--config",
          recipe,
          "--set",
          "training.max_steps=3",
          "--set",
          "output.path=" + args[1] + "/main"
        });
    System.out.println("main: returned");
    try {
      Anneal.main(new String[] {"run", "--config", recipe, "--set", "lora.rank=8"});
    } catch (BadRequestException e) {
      System.out.println("refused: " + e.getMessage());
    }
    Map<String, Object> diverging = new HashMap<>(config);
    diverging.put("output.path", args[1] + "/diverged");
    diverging.put("optimizer.learning_rate", 1e30);
    diverging.put("data.eval_rows", 0);
    try {
      Anneal.on(spark).run(recipe, diverging);
    } catch (JobFailedException e) {
      System.out.println("failed: " + e.getMessage());
    }
    boolean same = err == System.err && spark == SparkSession.active();
    System.out.println("still here: " + spark.range(7).count() + " rows, same session " + same);
  }
}
