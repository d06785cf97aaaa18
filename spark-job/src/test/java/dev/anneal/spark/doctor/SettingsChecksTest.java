package dev.anneal.spark.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SettingsChecksTest {
  private static final Path HOME = Path.of(System.getProperty("anneal.home")).toAbsolutePath();

  @TempDir Path folder;

  @Test
  void findNothingInTheBundledRecipe() {
    assertThat(look(new Looks(), "output.path=" + folder).values())
        .containsOnly(Finding.of("fits"));
  }

  @Test
  void findNothingOfAMergedModelThatHasNoPlaceYet() {
    assertThat(look(new Looks(), "output.merged=true").get("weights"))
        .isEqualTo(Finding.of("fits"));
  }

  @Test
  void findNothingWhereNobodySaysWhatWillRun() {
    Looks looks = new Looks();
    SparkConf conf = new SparkConf(false).set("spark.master", "local[*]");
    SettingsChecks.addTo(looks, Doctor.anyRun(), conf, new Configuration());
    assertThat(looks.found().values()).isNotEmpty().containsOnly(Finding.of("fits"));
  }

  @Test
  void sayWhatARunWouldBeRefusedFor() throws Exception {
    Path model = Files.createDirectories(folder.resolve("model"));
    Files.copy(HOME.resolve("conf/tiny/model/config.json"), model.resolve("config.json"));
    Path output = Files.createDirectories(folder.resolve("out"));
    Files.writeString(output.resolve("run.json"), "{\"command\":\"run\",\"state\":\"succeeded\"}");
    Map<String, Finding> found =
        look(
            new Looks(),
            "model.path=" + model,
            "output.path=" + output,
            "training.mode=full",
            "lora.init_from=" + folder,
            "cluster.nodes=3");
    assertThat(found.get("jvm")).isEqualTo(Finding.of("fits"));
    assertThat(found.get("settings").stops()).contains("has slots for 2: set cluster.nodes=2");
    assertThat(found.get("combination").stops()).contains("but training.mode is full");
    assertThat(found.get("output free").stops()).contains(" already holds a finished run");
    assertThat(found.get("weights").stops()).contains(model.toString(), "model.safetensors");
    assertThat(found.get("tokenizer").stops()).contains(model + "' has no tokenizer.json");
    for (Finding finding : found.values()) {
      assertThat(finding.stops() == null || finding.stops().endsWith("."))
          .as(finding + "")
          .isTrue();
    }
  }

  @Test
  void leaveToAPlaceWhatItsOwnLookSays() {
    Looks looks = new Looks();
    looks.put("model.path", Finding.stopping("model.path is not there."));
    Map<String, Finding> found = look(looks, "model.path=" + folder.resolve("none"));
    assertThat(found.get("weights")).isEqualTo(Finding.of("?"));
    assertThat(found.get("tokenizer")).isEqualTo(Finding.of("?"));
  }

  private Map<String, Finding> look(Looks looks, String... sets) {
    List<String> all = new ArrayList<>(List.of("cluster.nodes=2"));
    all.addAll(List.of(sets));
    AnnealConfig config = ConfigLoader.load(HOME.resolve("conf/tiny.yaml"), all, folder);
    SparkConf conf = new SparkConf(false).set("spark.master", "local-cluster[2,1,1024]");
    SettingsChecks.addTo(looks, config, conf, new Configuration());
    return looks.found();
  }
}
