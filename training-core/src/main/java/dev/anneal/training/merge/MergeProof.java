package dev.anneal.training.merge;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.data.TokenSequence;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.TensorEntry;
import dev.anneal.training.model.AutogradLayers;
import dev.anneal.training.model.Dropout;
import dev.anneal.training.model.LayerStack;
import dev.anneal.training.model.Leaves;
import dev.anneal.training.model.LinearModule;
import dev.anneal.training.model.RmsNorm;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.model.TrainableModel;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.Fp8;
import dev.anneal.training.weights.FrozenLayers;
import dev.anneal.training.weights.reader.SafetensorsWeights;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.IntConsumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Holds a merged model against its base with the adapter beside it, in fp32 on a few tokens, a
 * layer at a time, so that two layers and an embedding are in memory and no more.
 *
 * @param layers how far the hidden states behind each layer are apart: the norm of their difference
 *     as a share of their own
 * @param logits the same for the logits
 * @param sameTokens of how many positions the most likely next token is the same
 * @param positions that were looked at
 */
public record MergeProof(double[] layers, double logits, int sameTokens, int positions) {
  private static final int TOKENS = 16;

  /** Spreads the tokens over the vocabulary. */
  private static final int STRIDE = 7919;

  /** Bytes that it needs at a time: two layers, two embeddings or heads, and their copies. */
  public static long bytes(LlamaConfig config) {
    long layer = 0;
    for (LinearModule module : LinearModule.values()) {
      layer += (long) module.inFeatures(config) * module.outFeatures(config);
    }
    long head = (long) config.vocabSize() * config.hiddenSize();
    return 3L * DType.FP32.bytes() * Math.max(layer, head);
  }

  /**
   * Computes with both.
   *
   * @param merged the folder of the merged model
   * @param layerDone told of every layer when it is done
   * @throws InvalidModelException if a file of the merged model is not what it should be
   */
  public static MergeProof of(MergeInputs inputs, ModelFolder merged, IntConsumer layerDone)
      throws IOException {
    NativeLibraries.load();
    LlamaConfig config = inputs.config();
    try (SafetensorsWeights base =
            SafetensorsWeights.open(inputs.base(), SafetensorsIndex.MODEL_FILE);
        SafetensorsWeights adapter =
            SafetensorsWeights.open(inputs.adapter(), SafetensorsIndex.ADAPTER_FILE);
        SafetensorsIndex result = SafetensorsIndex.open(merged, SafetensorsIndex.MODEL_FILE);
        TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad();
        StreamedModel expected =
            new StreamedModel(config, fp32(base), fp32(adapter), inputs.deltas());
        StreamedModel found =
            new StreamedModel(config, merged(result), MergeProof::nothing, Map.of())) {
      return compare(expected, found, config, layerDone);
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private static LayerStack.Pass pass(TrainableModel model, TokenBatch batch) {
    return new AutogradLayers(model, Device.CPU, DType.FP32).on(batch, Dropout.NONE);
  }

  private static MergeProof compare(
      StreamedModel expected, StreamedModel found, LlamaConfig config, IntConsumer layerDone) {
    TokenBatch batch = batch(config);
    LayerStack.Pass there = pass(expected, batch);
    LayerStack.Pass here = pass(found, batch);
    Tensor wanted = embed(expected, batch);
    Tensor hidden = embed(found, batch);
    double[] layers = new double[config.numHiddenLayers()];
    for (int layer = 0; layer < layers.length; layer++) {
      wanted = there.forward(layer, FrozenLayers.NONE, wanted);
      hidden = here.forward(layer, FrozenLayers.NONE, hidden);
      layers[layer] = distance(hidden, wanted);
      layerDone.accept(layer);
    }
    Tensor wantedLogits = logits(expected, wanted);
    Tensor logits = logits(found, hidden);
    int same = 0;
    for (int position = 0; position < batch.tokens(); position++) {
      Tensor likely = logits.select(0, position).argmax();
      same += likely.equal(wantedLogits.select(0, position).argmax()) ? 1 : 0;
    }
    return new MergeProof(layers, distance(logits, wantedLogits), same, batch.tokens());
  }

  private static TokenBatch batch(LlamaConfig config) {
    int tokens = Math.min(TOKENS, config.maxPositionEmbeddings());
    int[] ids = new int[tokens];
    Arrays.setAll(ids, i -> (int) ((long) i * STRIDE % config.vocabSize()));
    TokenSequence sequence = new TokenSequence(ids, new int[] {tokens}, new int[] {});
    return TokenBatch.of(List.of(sequence));
  }

  private static Tensor embed(StreamedModel model, TokenBatch batch) {
    try (TensorScope scope = new TensorScope()) {
      Tensor weight = model.embedTokens(new Leaves(model.parameters()));
      return scope.keep(torch.embedding(weight, batch.inputIds()));
    }
  }

  private static Tensor logits(StreamedModel model, Tensor hidden) {
    try (TensorScope scope = new TensorScope()) {
      Leaves leaves = new Leaves(model.parameters());
      Tensor normed = RmsNorm.rmsNorm(hidden, model.norm(leaves), model.config().rmsNormEps());
      return scope.keep(torch.linear(normed, model.lmHead(leaves)));
    }
  }

  private static double distance(Tensor found, Tensor expected) {
    return found.sub(expected).norm().item_double() / expected.norm().item_double();
  }

  /** The largest distance of hidden states. */
  public double largestOfLayers() {
    return Arrays.stream(layers).max().orElse(0);
  }

  /** The largest of all distances. */
  public double largest() {
    return Math.max(logits, largestOfLayers());
  }

  /**
   * Whether rounding alone explains it.
   *
   * @param coarsest type that weights of the merged model are stored in
   */
  public boolean holds(MergeDType coarsest) {
    return largest() <= coarsest.tolerance();
  }

  private static StreamedModel.Source fp32(SafetensorsWeights weights) {
    return (name, shape) -> weights.read(name, DType.FP32, shape);
  }

  private static Tensor nothing(String name, long... shape) {
    throw new IllegalStateException("a merged model has no adapter");
  }

  /** Reads what vLLM would, FP8 with its scales too. */
  private static StreamedModel.Source merged(SafetensorsIndex index) {
    return (name, shape) -> {
      try (TensorScope scope = new TensorScope()) {
        Tensor stored = stored(index, name);
        if (index.entry(name).dtype() == SafetensorsDType.F8_E4M3) {
          Tensor scale = stored(index, CompressedTensors.scaleOf(name));
          return scope.keep(
              Fp8.dequantize(stored.view(shape), scale.view(shape[0]).to(DType.FP32.scalarType())));
        }
        return scope.keep(stored.to(DType.FP32.scalarType()).view(shape));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    };
  }

  private static Tensor stored(SafetensorsIndex index, String name) throws IOException {
    TensorEntry entry = index.entry(name);
    Tensor tensor = Tensors.empty(MergeDType.scalarType(entry.dtype()), entry.elements());
    SafetensorsWeights.fill(tensor, index, name, 0);
    return tensor;
  }
}
