package dev.anneal.training.model.config;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.io.JsonObject;
import dev.anneal.training.io.ModelFolder;
import java.io.IOException;
import java.io.Serializable;
import java.util.List;

/**
 * The shape of a Llama model, as {@code config.json} of a Hugging Face model folder gives it.
 * Linear modules have no biases and the activation is SiLU; a configuration that says otherwise is
 * refused when it is read.
 *
 * @param vocabSize rows of the embedding, and of the head
 * @param hiddenSize width of the residual stream
 * @param intermediateSize width inside the MLP
 * @param numKeyValueHeads heads of keys and values, each shared by {@code numAttentionHeads /
 *     numKeyValueHeads} query heads
 * @param headDim width of one head, even
 * @param ropeScaling the llama3 scaling of rotary embeddings; {@code null} for none
 * @param ropeTheta base of the rotary wave lengths
 * @param maxPositionEmbeddings longest sequence that the model is meant for, in tokens
 * @param tieWordEmbeddings whether the head's weight is the embedding's
 * @param bosTokenId the token that begins a text; {@code null} if none is given
 * @param eosTokenIds the tokens that end a text or a turn
 * @see <a
 *     href="https://github.com/huggingface/transformers/blob/main/src/transformers/models/llama/configuration_llama.py">
 *     transformers, {@code LlamaConfig}</a>
 */
public record LlamaConfig(
    int vocabSize,
    int hiddenSize,
    int intermediateSize,
    int numHiddenLayers,
    int numAttentionHeads,
    int numKeyValueHeads,
    int headDim,
    double rmsNormEps,
    RopeScaling ropeScaling,
    double ropeTheta,
    int maxPositionEmbeddings,
    boolean tieWordEmbeddings,
    Integer bosTokenId,
    List<Integer> eosTokenIds)
    implements Serializable {

  /** The file of a model folder that holds it. */
  public static final String FILE = "config.json";

  public LlamaConfig {
    eosTokenIds = List.copyOf(eosTokenIds);
  }

  /**
   * Reads {@code config.json} of {@code folder}.
   *
   * @throws InvalidModelException if it is missing, or not of a Llama that Anneal computes
   */
  public static LlamaConfig read(ModelFolder folder) throws IOException {
    return LlamaConfigJson.parse(JsonObject.read(folder, FILE));
  }

  /**
   * Parses the text of a {@code config.json}; {@code where} is what messages call it.
   *
   * @throws InvalidModelException if it is not of a Llama that Anneal computes
   */
  public static LlamaConfig parse(String json, String where) {
    return LlamaConfigJson.parse(JsonObject.parse(json, where));
  }

  /**
   * The published shape {@code llama3.1-8b}, {@code llama3.1-70b} or {@code llama3.1-405b}.
   *
   * @throws InvalidModelException if {@code name} is none of these
   */
  public static LlamaConfig named(String name) {
    return switch (name) {
      case "llama3.1-8b" -> llama31(4096, 14336, 32, 32);
      case "llama3.1-70b" -> llama31(8192, 28672, 80, 64);
      case "llama3.1-405b" -> llama31(16384, 53248, 126, 128);
      default ->
          throw new InvalidModelException(
              "there is no shape named '%s'; known are llama3.1-8b, llama3.1-70b and llama3.1-405b."
                  .formatted(name));
    };
  }

  /** What the models of the family share, from their {@code config.json}. */
  private static LlamaConfig llama31(
      int hiddenSize, int intermediateSize, int numHiddenLayers, int numAttentionHeads) {
    return new LlamaConfig(
        128_256,
        hiddenSize,
        intermediateSize,
        numHiddenLayers,
        numAttentionHeads,
        8,
        128,
        1e-5,
        new RopeScaling(8, 1, 4, 8192),
        500_000,
        131_072,
        false,
        128_000,
        List.of(128_001));
  }

  /** The same shape with {@code layers} decoder layers. */
  public LlamaConfig withLayers(int layers) {
    return with(layers, tieWordEmbeddings);
  }

  /** The same shape with a head of its own. */
  LlamaConfig untied() {
    return with(numHiddenLayers, false);
  }

  private LlamaConfig with(int layers, boolean tied) {
    return new LlamaConfig(
        vocabSize,
        hiddenSize,
        intermediateSize,
        layers,
        numAttentionHeads,
        numKeyValueHeads,
        headDim,
        rmsNormEps,
        ropeScaling,
        ropeTheta,
        maxPositionEmbeddings,
        tied,
        bosTokenId,
        eosTokenIds);
  }

  /**
   * The text of a {@code config.json} that Hugging Face transformers of any recent version reads.
   *
   * @param torchDtype what the weights beside it are stored in, e.g. {@code bfloat16}
   */
  public String toJson(String torchDtype) {
    return LlamaConfigJson.print(this, torchDtype);
  }
}
