package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Anneal within another's application, as on Databricks, on an unchanged Spark. */
@Tag("lines")
class ForeignApplicationIT {
  @TempDir Path folder;

  @Test
  void apiAndMainLeaveTheSessionAndTheProcessToTheirOwner() throws Exception {
    ProcessBuilder spark =
        new ProcessBuilder(
            UnchangedSpark.home("4.0").resolve("bin/spark-submit").toString(),
            "--class",
            ForeignApplication.class.getName(),
            "--master",
            "local-cluster[2,1,1024]",
            "--conf",
            "spark.ui.enabled=false",
            "--jars",
            RuntimeJars.natives() + "," + RuntimeJars.of("4.0_2.13"),
            application().toString());
    spark.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
    List<String> args = List.of(SubmittedJob.recipe().toString(), folder.resolve("out").toString());
    try (SubmittedJob job = SubmittedJob.startCommand(folder, spark, args)) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.out().lines())
          .contains(
              "api: 3 steps",
              "merged: " + folder + "/out/merged",
              "main: returned",
              "still here: 7 rows, same session true")
          .anyMatch(line -> line.startsWith("refused: ") && line.contains("did you mean lora.r?"))
          .anyMatch(line -> line.startsWith("failed: ") && line.contains("the loss is NaN"));
    }
    for (String run : List.of("api", "main")) {
      assertThat(folder.resolve("out/%s/adapter/adapter_model.safetensors".formatted(run)))
          .exists();
    }
  }

  private Path application() throws Exception {
    Path jar = folder.resolve("application.jar");
    String name = ForeignApplication.class.getName().replace('.', '/') + ".class";
    try (OutputStream file = Files.newOutputStream(jar);
        JarOutputStream out = new JarOutputStream(file)) {
      out.putNextEntry(new JarEntry(name));
      ForeignApplication.class.getClassLoader().getResourceAsStream(name).transferTo(out);
      out.closeEntry();
    }
    return jar;
  }
}
