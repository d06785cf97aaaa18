package dev.anneal.training.weights;

import dev.anneal.training.kernel.Kernels;
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
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * Embedding and head of a model that does not train, in the compute dtype. Where the layers are
 * split over ranks these are too: each rank keeps an equal part of the rows, and a matrix is
 * brought together when it is asked for, the head when that is expected; where ranks read each
 * other's memory, they take single rows of the embedding. Else it lies whole on the rank's device.
 */
public final class FrozenVocabulary {
  /** The system property that says whether the head comes early ({@link Together}). */
  public static final String HEAD_PROPERTY = "anneal.head.together";

  /**
   * The system property that keeps ranks from reading the rows of the embedding where they lie,
   * {@code off}, for measurements.
   */
  public static final String ROWS_PROPERTY = "anneal.embedding.rows";

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

  /** {@code [ranks]} int64: where their rows of the embedding begin. */
  private final Tensor embedAddresses;

  private final boolean readsRows;
  private final boolean headComesEarly;

  private boolean addressesAreThere;

  /** All bytes of the head, which are on their way; {@code null}: they are not. */
  private Tensor comingHead;

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
    this.readsRows = !"off".equalsIgnoreCase(System.getProperty(ROWS_PROPERTY, "on"));
    this.headComesEarly = isSplit() && expectedBytes(wholeBytes(lmHead)) > 0;
    this.embedAddresses =
        isSplit()
            ? Tensors.empty(placement.device(), ScalarType.Long, placement.ranks().worldSize())
            : null;
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

  /**
   * What of the head is there while the last layer goes forward.
   *
   * @param gathered {@link Holdings#gathered}
   */
  public static long expectedBytes(long gathered) {
    return Together.asked(HEAD_PROPERTY).admits(gathered) ? gathered : 0;
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

  /**
   * The rows of {@code ids}, {@code [T, hidden_size]} in the current tensor scope. A collective as
   * {@link #embedTokens}, unless ranks read each other's rows.
   *
   * @param ids {@code [T]} int64 on the device
   */
  public Tensor embed(Tensor ids, Kernels kernels) {
    try (TensorScope scope = new TensorScope()) {
      if (!readsRows || !addressesAreKnown()) {
        return scope.keep(torch.embedding(embedTokens(), ids));
      }
      Tensor rows = Tensors.emptyLike(embedTokens.rows(), ids.numel(), config.hiddenSize());
      placement
          .ranks()
          .watched(
              "reading rows of the embedding",
              () -> kernels.gatherRows(embedAddresses, shardRows, ids, config.vocabSize(), rows));
      return scope.keep(rows);
    }
  }

  /** Whether ranks read each other's rows; the addresses are on the device then. */
  private boolean addressesAreKnown() {
    if (embedAddresses == null || addressesAreThere) {
      return addressesAreThere;
    }
    long[] addresses = embedTokens.part().addresses();
    if (addresses.length > 0) {
      // once: it waits for the device
      embedAddresses.copy_(Tensors.of(addresses));
      addressesAreThere = true;
    }
    return addressesAreThere;
  }

  /**
   * Where the head is split and small, begins to bring it together for the next {@link #lmHead},
   * which then is no collective: this one is. On a GPU it comes beside what the current stream is
   * given until then. If nobody asks, it is let go of when the innermost tensor scope closes.
   */
  public void expectLmHead() {
    if (!headComesEarly || comingHead != null) {
      return;
    }
    try (TensorScope scope = new TensorScope()) {
      comingHead = TensorScope.own(emptyWhole(lmHead));
    }
    TensorScope.atClose(this::forgetHead);
    lmHead.part().begin(comingHead);
  }

  private void forgetHead() {
    if (comingHead != null) {
      // the current stream has the memory next
      lmHead.part().await();
      comingHead.close();
      comingHead = null;
    }
  }

  /** As {@link #embedTokens}, of the head, which is the embedding where the two are tied. */
  public Tensor lmHead() {
    if (comingHead == null) {
      return whole(lmHead);
    }
    try (TensorScope scope = new TensorScope()) {
      // from here on it belongs to the caller
      Tensor bytes = new Tensor(comingHead);
      forgetHead();
      return scope.keep(matrix(bytes));
    }
  }

  private Tensor whole(Matrix matrix) {
    if (matrix.part() == null) {
      return matrix.rows();
    }
    try (TensorScope scope = new TensorScope()) {
      Tensor bytes = emptyWhole(matrix);
      matrix.part().gatherInto(bytes);
      return scope.keep(matrix(bytes));
    }
  }

  private Tensor emptyWhole(Matrix matrix) {
    return Tensors.empty(placement.device(), ScalarType.Byte, wholeBytes(matrix));
  }

  /** Of all ranks' rows, those beyond the vocabulary among them. */
  private long wholeBytes(Matrix matrix) {
    return placement.ranks().worldSize() * matrix.rows().nbytes();
  }

  private Tensor matrix(Tensor bytes) {
    return bytes
        .view(placement.compute().scalarType())
        .view(placement.ranks().worldSize() * shardRows, config.hiddenSize())
        .narrow(0, 0, config.vocabSize());
  }

  /** What embedding and head take, as their tensors say. */
  Holdings holdings() {
    return new Holdings(
        embedTokens.rows().nbytes(),
        config.tieWordEmbeddings() ? 0 : lmHead.rows().nbytes(),
        isSplit() ? wholeBytes(embedTokens) : 0);
  }
}
