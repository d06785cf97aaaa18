package dev.anneal.spark.preflight;

import dev.anneal.data.prep.Preparation;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.training.lora.LoraLayout;
import java.util.List;
import java.util.Optional;

/**
 * A request that has passed every check.
 *
 * @param prep {@code null} where the data set is there already
 * @param evalPrep of the rows to evaluate on; {@code null} where they are no data set of their own
 *     or there already
 * @param model what is trained
 * @param earlier what it goes on with; empty where it begins anew
 * @param notes sentences on what was found that the user may not expect
 */
public record CheckedRequest(
    AnnealConfig config,
    Preparation prep,
    Preparation evalPrep,
    Model model,
    RunFolder folder,
    Optional<ResumeState> earlier,
    List<String> notes) {

  /**
   * The model that is trained.
   *
   * @param fingerprint of its shape and weights
   * @param tokenizer folder of the tokenizer; {@code null} where rows come tokenized and there is
   *     none
   * @param vocabSize tokens that it embeds
   * @param adapters which modules get an adapter; {@code null} where none is trained
   * @param merged whether model and adapter are published as one, as it looks before the run
   */
  public record Model(
      String fingerprint,
      String tokenizer,
      int vocabSize,
      LoraLayout adapters,
      MergedModel merged) {}

  public CheckedRequest {
    notes = List.copyOf(notes);
  }

  /** The same with the folder as this run may use it. */
  public CheckedRequest in(RunFolder held) {
    return new CheckedRequest(config, prep, evalPrep, model, held, earlier, notes);
  }

  /** The same that goes on with {@code found}. */
  CheckedRequest after(Optional<ResumeState> found) {
    return new CheckedRequest(config, prep, evalPrep, model, folder, found, notes);
  }
}
