package dev.anneal.training.model.activations;

import dev.anneal.training.cuda.PinnedMemory;
import dev.anneal.training.model.activations.KeptActivations.Inputs;
import java.util.Comparator;
import java.util.stream.Stream;

/**
 * What a micro-batch takes of the device at the moment of its forward and backward when it takes
 * the most, and what of the host; in bytes. The arithmetic of {@link KeptForward}.
 *
 * @param moment which it is
 * @param inputs of layers that are computed again
 * @param kept by the layers that keep everything
 * @param workspace of the layer, the embedding or the head at work, with the hidden state that it
 *     is given; beside the last layer what of the head is there already
 * @param batch the micro-batch itself and its angles
 * @param pinned inputs in page-locked memory of the host
 */
public record StepMemory(
    String moment, long inputs, long kept, long workspace, long batch, long pinned) {

  /**
   * What the pieces of a micro-batch's forward and backward take of the device, in bytes.
   *
   * @param batch the micro-batch itself and the angles of its positions, all the while
   * @param layer all layers count alike, as the one with the most adapters
   * @param embedding the most of the embedding of the micro-batch
   * @param head the most of the head's loss and gradient beside the last layer's output
   * @param expectedHead what of the head is there while the last layer goes forward
   */
  public record Pieces(long batch, Layer layer, long embedding, long head, long expectedHead) {}

  /**
   * What one layer takes, in bytes.
   *
   * @param input its input, {@code [T, hidden_size]}
   * @param kept what it keeps for its backward, its input among it
   * @param forward the most of a forward beside the input, what it keeps among it
   * @param recompute the same of a forward that is done again for its backward
   * @param backward the most of a backward beside what is kept and the output's gradient
   * @param keptToTheEnd whether what it keeps is freed after the last backward only
   */
  public record Layer(
      long input, long kept, long forward, long recompute, long backward, boolean keptToTheEnd) {}

  /** Of a model of {@code layers} layers. */
  public static StepMemory of(Pieces pieces, KeptActivations activations, int layers) {
    Layer layer = pieces.layer();
    long batch = pieces.batch();
    boolean onHost = activations.inputs() == Inputs.ON_HOST;
    int recomputed = Math.min(layers, activations.recomputedLayers());
    int keeping = layers - recomputed;
    long pinned = onHost ? recomputed * PinnedMemory.allocatedBytes(layer.input()) : 0;
    long kept = keeping * layer.kept();
    long inputs = onDevice(recomputed, onHost) * layer.input();
    Stream.Builder<StepMemory> moments = Stream.builder();
    moments.add(new StepMemory("embedding", 0, 0, pieces.embedding(), batch, pinned));
    if (keeping > 0) {
      moments.add(
          new StepMemory(
              "forward of the last layer",
              inputs,
              kept - layer.kept(),
              layer.input() + layer.forward() + pieces.expectedHead(),
              batch,
              pinned));
      moments.add(
          new StepMemory(
              "backward of the last layer",
              inputs,
              kept,
              layer.input() + layer.backward(),
              batch,
              pinned));
    } else {
      moments.add(
          new StepMemory(
              "forward of the last layer",
              onDevice(recomputed - 1, onHost) * layer.input(),
              0,
              layer.input() + layer.forward() + pieces.expectedHead(),
              batch,
              pinned));
    }
    moments.add(new StepMemory("head", inputs, kept, layer.input() + pieces.head(), batch, pinned));
    if (recomputed > 0) {
      // what the layer holds when it is computed again, without its input, which waits already
      long again = layer.kept() - layer.input() + layer.backward();
      moments.add(
          new StepMemory(
              "backward of a layer that is computed again",
              inputs,
              layer.keptToTheEnd() ? kept : 0,
              layer.input() + Math.max(layer.recompute(), again),
              batch,
              pinned));
    }
    return moments.build().max(Comparator.comparingLong(StepMemory::deviceBytes)).orElseThrow();
  }

  /** How many of {@code inputs} inputs lie on the device at once. */
  private static int onDevice(int inputs, boolean onHost) {
    return onHost ? Math.min(inputs, HostInputs.COPIES) : inputs;
  }

  /** Of all kinds. */
  public long deviceBytes() {
    return inputs + kept + workspace + batch;
  }
}
