package dev.anneal.training.model;

import dev.anneal.training.weights.FrozenLayers;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** How a model's decoder layers are computed, forward and backward, one at a time. */
public interface LayerStack {
  /**
   * Readies the layers for one micro-batch, in the current tensor scope. Of the last layer's output
   * only the rows of the batch's predictors are to be read, if it has any.
   */
  Pass on(TokenBatch batch, Dropout dropout);

  /**
   * Readies the layers for tokens that go on from earlier ones, in the current tensor scope.
   *
   * @param batch the new tokens, at their positions, none of which is learned
   * @param attention what they see
   */
  Forward after(TokenBatch batch, CachedAttention attention);

  /**
   * Says of a micro-batch to come how long its rows are, so that its kernels can be ready by then.
   */
  default void expect(int[] rowLengths) {}

  /** The layers without their backward. {@code next} is as in {@link Pass}. */
  interface Forward {
    /**
     * A layer's output, of which nothing is kept for a backward.
     *
     * @param x {@code [T, hidden_size]}
     * @return {@code [T, hidden_size]} in the current tensor scope
     */
    Tensor forward(int layer, int next, Tensor x);
  }

  /**
   * The layers on one micro-batch. {@code next} is the layer that follows in the order of
   * computation, or {@link FrozenLayers#NONE}.
   */
  interface Pass extends Forward {
    /** A layer's output, keeping what the backward needs. */
    Tape record(int layer, int next, Tensor x);

    /** Computes again what the backward needs, and no more. */
    Tape recompute(int layer, int next, Tensor x);
  }

  /** What a layer's backward needs of its forward. It holds memory until it is closed. */
  interface Tape extends AutoCloseable {
    /** The layer's output, {@code [T, hidden_size]}; not of a recomputed tape. */
    Tensor output();

    /**
     * Adds the gradients of the layer's parameters to theirs. Called once.
     *
     * @param dOutput {@code [T, hidden_size]}
     * @return the gradient of the layer's input, in the current tensor scope
     */
    Tensor backward(int next, Tensor dOutput);

    /**
     * Hands over all that it holds, contiguous tensors that the caller closes. Until it has them
     * back it is good for nothing but closing.
     *
     * @throws UnsupportedOperationException if it cannot be without them
     */
    List<Tensor> giveUp();

    /**
     * Takes what it gave up, or tensors with the same bits, in the same order; from here on they
     * are its own.
     */
    void takeBack(List<Tensor> tensors);

    @Override
    void close();
  }
}
