package dev.anneal.spark.preflight;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.spark.train.Specs;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.model.config.LlamaConfig;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class AdapterNotesTest {
  @Test
  void ranksThatCublasltDoesNotTakeAreTold() {
    assertThat(notes("lora.r=4"))
        .singleElement()
        .asString()
        .startsWith("a rank of 4 is no multiple of 8, ")
        .endsWith(" takes a rank of 8.");
    assertThat(notes("lora.r=12"))
        .singleElement()
        .asString()
        .startsWith("a rank of 12 ")
        .endsWith(" takes a rank of 16.");
    assertThat(notes("lora.r=16")).isEmpty();
    assertThat(notes("lora.r=16", "lora.rank_pattern={down_proj: 2}"))
        .singleElement()
        .asString()
        .startsWith("a rank of 2 ");
    assertThat(notes("lora.r=4", "lora.rank_pattern={'.*_proj': 8}")).isEmpty();
  }

  @Test
  void whatOtherLayersComputeHasNoSuchNote() {
    assertThat(notes("lora.r=4", "cluster.gpus_per_node=0", "base_weights.shard=none")).isEmpty();
    assertThat(notes("lora.r=4", "compute.matmul=bf16", "lora.dropout=0.1")).isEmpty();
    assertThat(notes("lora.r=4", "compute.matmul=bf16", "lora.use_dora=true"))
        .singleElement()
        .asString()
        .contains("lora.use_dora=true");
  }

  private static List<String> notes(String... settings) {
    AnnealConfig config = ConfigLoader.load(recipe(), List.of(settings), Path.of(""));
    LlamaConfig shape = LlamaConfig.named("llama3.1-8b");
    return AdapterNotes.of(config, LoraLayout.of(Specs.lora(config), shape));
  }

  private static Path recipe() {
    return Path.of(System.getProperty("anneal.home"), "conf", "llama3.1-8b.yaml");
  }
}
