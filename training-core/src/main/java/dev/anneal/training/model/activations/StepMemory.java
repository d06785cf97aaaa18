package dev.anneal.training.model.activations;

import dev.anneal.training.cuda.PinnedBlocks;
import dev.anneal.training.cuda.PinnedMemory;
import dev.anneal.training.model.activations.KeptActivations.Inputs;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * What a micro-batch takes of the device at the moment of its forward and backward when it takes
 * the most, and what of the host; in bytes. The arithmetic of {@link KeptForward}.
 *
 * @param moment which it is
 * @param inputs of layers that are computed again
 * @param kept by the layers that keep everything on the device
 * @param onTheWay of the layers that keep everything on the host: what has not left or is back
 * @param workspace of the layer, the embedding or the head at work, with the hidden state that it
 *     is given; beside the last layer what of the head is there already
 * @param batch the micro-batch itself and its angles
 */
public record StepMemory(
    String moment,
    long inputs,
    long kept,
    long onTheWay,
    long workspace,
    long batch,
    Pinned pinned) {

  /**
   * What waits in page-locked memory of the host, in bytes.
   *
   * @param inputs of layers that are computed again
   * @param layers all that layers keep
   */
  public record Pinned(long inputs, long layers) {}

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
    boolean onHost = activations.inputs() == Inputs.ON_HOST;
    int recomputed = activations.recomputed(layers);
    Pinned pinned =
        new Pinned(
            onHost ? recomputed * PinnedMemory.allocatedBytes(layer.input()) : 0,
            activations.copied(layers) * PinnedBlocks.allocatedBytes(layer.kept()));
    long kept = activations.keeping(layers) * layer.kept();
    long inputs = onDevice(recomputed, onHost) * layer.input();
    int host = activations.host(layers);
    long onTheWay = Math.min(host, HostLayers.ON_DEVICE) * layer.kept();
    long forward = layer.input() + layer.forward() + pieces.expectedHead();
    long backward = layer.input() + layer.backward();
    Moments moments = new Moments(pieces.batch(), pinned);
    moments.add("embedding", 0, 0, 0, pieces.embedding());
    // what the layer at work keeps is among what its forward takes
    switch (activations.of(layers - 1, layers)) {
      case ALL -> {
        moments.add("forward of the last layer", inputs, kept - layer.kept(), onTheWay, forward);
        moments.add("backward of the last layer", inputs, kept, onTheWay, backward);
      }
      case ALL_ON_HOST -> {
        long others = onTheWay - layer.kept();
        moments.add("forward of the last layer", inputs, kept, others, forward);
        moments.add("backward of the last layer", inputs, kept, onTheWay, backward);
      }
      case INPUT -> {
        long others = onDevice(recomputed - 1, onHost) * layer.input();
        moments.add("forward of the last layer", others, kept, onTheWay, forward);
      }
    }
    moments.add("head", inputs, kept, onTheWay, layer.input() + pieces.head());
    if (recomputed > 0) {
      // what the layer holds when it is computed again, without its input, which waits already
      long again = layer.kept() - layer.input() + layer.backward();
      moments.add(
          "backward of a layer that is computed again",
          inputs,
          layer.keptToTheEnd() ? kept : 0,
          onTheWay,
          layer.input() + Math.max(layer.recompute(), again));
    }
    return moments.most();
  }

  /** Those that may take the most. */
  private static final class Moments {
    private final long batch;
    private final Pinned pinned;
    private final List<StepMemory> all = new ArrayList<>();

    Moments(long batch, Pinned pinned) {
      this.batch = batch;
      this.pinned = pinned;
    }

    void add(String moment, long inputs, long kept, long onTheWay, long workspace) {
      all.add(new StepMemory(moment, inputs, kept, onTheWay, workspace, batch, pinned));
    }

    StepMemory most() {
      return all.stream().max(Comparator.comparingLong(StepMemory::deviceBytes)).orElseThrow();
    }
  }

  /** How many of {@code inputs} inputs lie on the device at once. */
  private static int onDevice(int inputs, boolean onHost) {
    return onHost ? Math.min(inputs, HostInputs.COPIES) : inputs;
  }

  /** Of all kinds. */
  public long deviceBytes() {
    return inputs + kept + onTheWay + workspace + batch;
  }
}
