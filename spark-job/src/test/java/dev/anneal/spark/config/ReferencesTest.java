package dev.anneal.spark.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.anneal.spark.BadRequestException;
import dev.anneal.training.lora.ModuleNames;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReferencesTest {
  private static final Map<String, String> ENVIRONMENT =
      Map.of(
          "MODELS", "s3a://models",
          "NODES", "4",
          "LENGTH", "long",
          "WORDS", "[q_proj, v_proj]",
          "MY_TOKEN", "https://hooks.example.com/services/T0/B0/XXXX",
          "MY_SECRET", "wJalrXUtnFEMI/K7MDENG");

  @TempDir Path folder;

  @Test
  void standForTheEnvironmentOfTheDriver() {
    AnnealConfig config = sets("model.path=${MODELS}/llama-${NODES}", "output.path=x${NODES}/$y");
    assertThat(config.model().path()).isEqualTo("s3a://models/llama-4");
    assertThat(config.output().path()).isEqualTo("file:" + folder + "/x4/$y");
  }

  @Test
  void standForASettingOfSpark() {
    assertThat(sets("model.path=${conf:spark.models}/m").model().path()).isEqualTo("hdfs:/all/m");
  }

  @Test
  void standForNumbersAndLists() {
    AnnealConfig config = sets("cluster.nodes=${NODES}", "lora.target_modules=${WORDS}");
    assertThat(config.cluster().nodes()).isEqualTo(4);
    assertThat(config.lora().modules().names())
        .isEqualTo(ModuleNames.listed(List.of("q_proj", "v_proj")));
    assertThat(sets("data.columns={output: 'a${NODES}'}").data().rows().columns())
        .containsEntry("output", "a4");
  }

  @Test
  void standInAFileAndInTheValuesOfAProgram() throws IOException {
    Path file = Files.writeString(folder.resolve("my.yaml"), "model: {path: '${conf}/${NODES}'}");
    AnnealConfig config =
        loader()
            .file(file.toString())
            .values(Map.of("cluster.nodes", "${NODES}", "lora", Map.of("r", 8)))
            .sets(List.of("data.source=${conf}/rows.json"))
            .load();
    assertThat(config.model().path()).isEqualTo("file:" + folder + "/4");
    assertThat(config.data().rows().source()).isEqualTo("file:" + folder + "/rows.json");
    assertThat(config.cluster().nodes()).isEqualTo(4);
    assertThat(config.lora().r()).isEqualTo(8);
  }

  @Test
  void areTextAfterASecondDollarSign() {
    assertThat(sets("model.path=s3a://b/$${NODES}/${NODES}").model().path())
        .isEqualTo("s3a://b/${NODES}/4");
  }

  @Test
  void areNotLookedUpWhereTheyHaveBeenOverridden() {
    assertThat(sets("model.path=${NOWHERE}", "model.path=/m").model().path()).isEqualTo("file:/m");
  }

  @Test
  void areRefusedWhereTheyAreNotDefined() {
    assertRefused(
        "model.path=${NOWHERE}",
        "model.path in --set model.path=${NOWHERE} refers to ${NOWHERE}, an environment variable that the driver does not have: set it there, or write the value itself.");
    assertRefused(
        "model.path=${conf:spark.no}",
        "refers to ${conf:spark.no}, a setting that Spark does not have: add --conf spark.no=..., or write the value itself.");
    assertRefused(
        "model.path=${conf}",
        "refers to ${conf}, the folder of the configuration file, and there is no such folder: write the folder itself.");
    assertRefused("model.path=${a b}", "refers to ${a b}, which is none of ${NAME}, ");
    assertRefused("model.path=${}", "refers to ${}, which is none of ${NAME}, ");
  }

  @Test
  void areRefusedWhereTheyAreSecret() {
    assertThatThrownBy(() -> sets("model.path=${MY_SECRET}"))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining("refers to ${MY_SECRET}, which is secret")
        .hasMessageNotContaining(ENVIRONMENT.get("MY_SECRET"));
    assertRefused("model.path=${conf:spark.hadoop.fs.s3a.secret.key}", "which is secret");
  }

  @Test
  void mayBeSecretWhereTheKeyHoldsASecretWhichIsShownNowhere() {
    AnnealConfig config = sets("webhooks.on_failure=${MY_TOKEN}");
    String address = ENVIRONMENT.get("MY_TOKEN");
    assertThat(config.webhooks().onFailure()).isEqualTo(address);
    assertThat(config.resolved().at("/webhooks/on_failure").textValue()).isEqualTo("*********");
    assertThat(config.resolved().at("/webhooks/on_success").isNull()).isTrue();
    assertThat(config.toString()).doesNotContain(address);
    assertThat(config.withoutSecrets().webhooks().addresses()).isEmpty();
    assertThat(config.withoutSecrets().training()).isEqualTo(config.training());
    assertThatThrownBy(() -> sets("webhooks.on_failure=${MY_SECRET}"))
        .isInstanceOf(BadRequestException.class)
        .hasMessage(
            "webhooks.on_failure in --set webhooks.on_failure=********* is *********, but must be an http:// or https:// address or null.");
  }

  @Test
  void sayWhatTheyStandForWhereItDoesNotFit() {
    assertRefused(
        "data.max_length=${LENGTH}", "is 'long', but must be a whole number of at least 2.");
    assertRefused("data.max_length=${NODES}${WORDS}", "is '4[q_proj, v_proj]', but must be");
  }

  private void assertRefused(String set, String sentence) {
    assertThatThrownBy(() -> sets(set))
        .isInstanceOf(BadRequestException.class)
        .hasMessageContaining(sentence);
  }

  private AnnealConfig sets(String... sets) {
    return loader().sets(List.of(sets)).load();
  }

  private ConfigLoader loader() {
    SparkConf spark =
        new SparkConf(false)
            .set("spark.models", "hdfs:/all")
            .set("spark.hadoop.fs.s3a.secret.key", "abc/def/ghi+123")
            .set("spark.hadoop.my.secret", ENVIRONMENT.get("MY_SECRET"));
    return new ConfigLoader(
        new ConfigContext(folder, spark, () -> new Configuration(false), ENVIRONMENT::get));
  }
}
