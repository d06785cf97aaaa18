package dev.anneal.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The archives of {@code mvn -Pdist package}, unpacked as the images do it, without a checkout. */
@Tag("lines")
class InstallationIT {
  private static final Path HOME = Path.of(System.getProperty("anneal.home"));

  @TempDir static Path folder;

  private static Path installation;

  @BeforeAll
  static void install() throws Exception {
    installation = folder.resolve("opt anneal");
    assertThat(install(installation, null)).isZero();
  }

  private static int install(Path place, Path spark) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(HOME.resolve("deploy/docker/install.sh").toString());
    command.add(place.toString());
    command.add(archive("dist/target"));
    command.add(archive("natives/cpu/target"));
    ProcessBuilder install = new ProcessBuilder(command).inheritIO();
    install.environment().remove("SPARK_HOME");
    if (spark != null) {
      install.environment().put("SPARK_HOME", spark.toString());
    }
    return install.start().waitFor();
  }

  @Test
  void inAnImageWithASparkItsJarHasOneName() throws Exception {
    Path image = folder.resolve("image");
    Path spark = UnchangedSpark.home("4.1");
    assertThat(install(image, spark)).isZero();
    Path jar = image.resolve("anneal.jar");
    assertThat(jar.toRealPath().getFileName().toString())
        .startsWith("anneal-spark-runtime-4.1_2.13-");
    assertThat(image.resolve("spark")).as("the embedded one").doesNotExist();
    ProcessBuilder submit =
        new ProcessBuilder(
            spark.resolve("bin/spark-submit").toString(),
            "--class",
            Anneal.class.getName(),
            jar.toString());
    try (SubmittedJob job = SubmittedJob.startCommand(folder, submit, List.of("--version"))) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.out()).startsWith("anneal ");
    }
  }

  @Test
  void trainsWithAJavaAlone() throws Exception {
    ProcessBuilder place = new ProcessBuilder(installation.resolve("bin/anneal").toString());
    place.environment().put("PATH", System.getProperty("java.home") + "/bin:/usr/bin:/bin");
    Path output = folder.resolve("out");
    try (SubmittedJob job =
        SubmittedJob.startCommand(
            folder,
            place,
            List.of(
                "run",
                "--config",
                installation.resolve("conf/tiny.yaml").toString(),
                "--set",
                "training.max_steps=4",
                "--set",
                "output.path=" + output))) {
      assertThat(job.await()).as(job.out() + job.err()).isZero();
      assertThat(job.err()).isEmpty();
    }
    assertThat(output.resolve("adapter/adapter_model.safetensors")).exists();
  }

  @Test
  void holdsWhatItIsSaidToHold() throws Exception {
    try (Stream<Path> files = Files.list(installation)) {
      assertThat(files)
          .extracting(file -> file.getFileName().toString())
          .contains("bin", "jars", "spark", "conf", "deploy", "docs", "natives")
          .contains("LICENSE", "NOTICE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md");
    }
    for (String linked : List.of("notebooks/fine-tune.ipynb", "docs/tiny-model/generate.py")) {
      assertThat(installation.resolve(linked)).exists();
    }
    assertThat(installation.resolve("conf/gpu-discovery.sh")).isExecutable();
    assertThat(installation.resolve("deploy/docker/install.sh")).isExecutable();
  }

  private static String archive(String target) throws Exception {
    try (Stream<Path> files = Files.list(HOME.resolve(target))) {
      return files
          .filter(file -> file.toString().endsWith(".tar.gz"))
          .findFirst()
          .orElseThrow(() -> new AssertionError("build it first: mvn -Pdist package"))
          .toString();
    }
  }
}
