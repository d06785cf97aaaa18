package dev.anneal.training.model.activations;

/**
 * What the pieces of a micro-batch's forward and backward take of the device, in bytes. All layers
 * count alike, as the one with the most adapters.
 *
 * @param batch the micro-batch itself and the angles of its positions, all the while
 * @param input a layer's input, {@code [T, hidden_size]}
 * @param kept what a layer keeps for its backward, its input among it
 * @param forward the most of a forward beside the input, what it keeps among it
 * @param recompute the same of a forward that is done again for its backward
 * @param backward the most of a backward beside what is kept and the output's gradient
 * @param embedding the most of the embedding of the micro-batch
 * @param head the most of the head's loss and gradient beside the last layer's output
 * @param keptToTheEnd whether what layers keep is freed after the last backward only
 */
public record LayerMemory(
    long batch,
    long input,
    long kept,
    long forward,
    long recompute,
    long backward,
    long embedding,
    long head,
    boolean keptToTheEnd) {}
