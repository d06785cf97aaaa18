package dev.anneal.training.weights;

import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.TensorNames;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.FrozenLayers.SharedPart;
import dev.anneal.training.weights.reader.WantedRows;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Embedding and head of a model that does not train, in the compute dtype. Where the layers are
 * split over ranks these are too: each rank keeps an equal part of the rows, and a matrix is
 * brought together when it is asked for. Else it lies whole on the rank's device.
 */
public final class FrozenVocabulary {

  /**
   * What a rank's embedding and head take, in bytes.
   *
   * @param embedTokens its rows of the embedding
   * @param lmHead its rows of the head; 0 where the head is the embedding
   * @param gathered either of them for as long as it is brought together; 0 where it is not split
   */
  public record Holdings(long embedTokens, long lmHead, long gathered) {}

  /**
   * @param rows {@code [shard_rows, hidden_size]}, those beyond the vocabulary zero
   * @param part {@code null} where {@code rows} are all
   */
  private record Matrix(Tensor rows, SharedPart part) {}

  private final LlamaConfig config;
  private final Placement placement;
  private final long shardRows;
  private final Matrix embedTokens;
  private final Matrix lmHead;
  private final List<WantedRows> wanted = new ArrayList<>();

  /**
   * Takes the memory, in the current tensor scope. The weights are there once {@link #wanted} is
   * read.
   *
   * @param decoder the layers, which are split or not
   */
  public FrozenVocabulary(LlamaConfig config, FrozenLayers decoder) {
    this.config = config;
    this.placement = decoder.placement();
    this.shardRows = LayerLayout.shardRows(config.vocabSize(), placement.ranks().worldSize());
    this.embedTokens = want(TensorNames.EMBED_TOKENS, decoder);
    this.lmHead = config.tieWordEmbeddings() ? embedTokens : want(TensorNames.LM_HEAD, decoder);
  }

  /**
   * What {@link #FrozenVocabulary} takes.
   *
   * @param ranks how many hold equal parts
   */
  public static Holdings holdings(LlamaConfig config, DType compute, int ranks) {
    long rowBytes = (long) config.hiddenSize() * compute.bytes();
    long part = LayerLayout.shardRows(config.vocabSize(), ranks) * rowBytes;
    return new Holdings(part, config.tieWordEmbeddings() ? 0 : part, ranks == 1 ? 0 : ranks * part);
  }

  private Matrix want(String name, FrozenLayers decoder) {
    ScalarType dtype = placement.compute().scalarType();
    long first = placement.ranks().rank() * shardRows;
    long count = Math.max(0, Math.min(shardRows, config.vocabSize() - first));
    long bytes = shardRows * config.hiddenSize() * placement.compute().bytes();
    Tensor rows = decoder.room(bytes).view(dtype).view(shardRows, config.hiddenSize());
    if (count < shardRows) {
      rows.zero_();
    }
    if (count > 0) {
      wanted.add(
          new WantedRows(
              name,
              first,
              count,
              config.hiddenSize(),
              (row, values) -> rows.narrow(0, row, values.size(0)).copy_(values)));
    }
    return new Matrix(rows, isSplit() ? decoder.share(bytes(rows)) : null);
  }

  private boolean isSplit() {
    return placement.ranks().worldSize() > 1;
  }

  private static Tensor bytes(Tensor rows) {
    return rows.view(rows.numel()).view(ScalarType.Byte);
  }

  /** The rows that belong to this rank, and where they go. */
  public List<WantedRows> wanted() {
    return List.copyOf(wanted);
  }

  /**
   * {@code [vocab_size, hidden_size]}, usable until the current tensor scope closes. Where it is
   * split this is a collective: every rank of the shard group asks for the same matrices and layers
   * in the same order.
   */
  public Tensor embedTokens() {
    return whole(embedTokens);
  }

  /** The same of the head, which is the embedding where the two are tied. */
  public Tensor lmHead() {
    return whole(lmHead);
  }

  private Tensor whole(Matrix matrix) {
    if (matrix.part() == null) {
      return matrix.rows();
    }
    try (TensorScope scope = new TensorScope()) {
      long ranks = placement.ranks().worldSize();
      Tensor bytes =
          Tensors.empty(placement.device(), ScalarType.Byte, ranks * matrix.rows().nbytes());
      matrix.part().gatherInto(bytes);
      Tensor padded =
          bytes.view(placement.compute().scalarType()).view(ranks * shardRows, config.hiddenSize());
      return scope.keep(padded.narrow(0, 0, config.vocabSize()));
    }
  }

  /** What embedding and head take, as their tensors say. */
  Holdings holdings() {
    return new Holdings(
        embedTokens.rows().nbytes(),
        config.tieWordEmbeddings() ? 0 : lmHead.rows().nbytes(),
        isSplit() ? placement.ranks().worldSize() * embedTokens.rows().nbytes() : 0);
  }
}
