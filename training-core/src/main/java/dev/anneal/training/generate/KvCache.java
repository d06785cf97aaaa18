package dev.anneal.training.generate;

import dev.anneal.training.model.CachedAttention;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * The keys and values of all tokens that the layers have seen, so that a pass computes new tokens
 * alone. Those of one layer lie in two tensors, sequence by sequence, and every sequence has room
 * to grow in blocks. When one has filled its room all are laid out anew, once a block of passes,
 * and the room of those that have ended is given back.
 */
final class KvCache implements AutoCloseable {
  /** Where one sequence lies; in tokens. */
  static final class Slot {
    private final long limit;
    private long start;
    private long capacity;
    private long used;

    /**
     * @param limit the most that it will ever hold
     */
    Slot(long limit) {
      this.limit = limit;
    }

    /** How many the layers have seen. */
    long used() {
      return used;
    }
  }

  /** A copy each is less than what GPUs sort for {@code index_copy_} to give the same bits. */
  private static final int FEW_ROWS = 8;

  private final Llama llama;
  private final LlamaConfig config;
  private final CacheReader reader;
  private final int block;
  private final Tensor like;

  /** {@code [places, kv_heads, head_dim]} a layer. */
  private final List<Tensor> keys = new ArrayList<>();

  private final List<Tensor> values = new ArrayList<>();

  /**
   * @param block tokens by which a sequence's room grows
   */
  KvCache(Llama llama, CacheReader reader, int block) {
    this.llama = llama;
    this.config = llama.config();
    this.reader = reader;
    this.block = block;
    try (TensorScope scope = new TensorScope()) {
      like = TensorScope.own(llama.emptyActivations(0));
    }
  }

  /**
   * Makes room for new tokens.
   *
   * @param slots all that go on; others are given up
   * @param counts new tokens of each
   */
  void makeRoom(List<Slot> slots, int[] counts) {
    boolean fits = true;
    for (int i = 0; i < counts.length; i++) {
      fits &= slots.get(i).used + counts[i] <= slots.get(i).capacity;
    }
    if (!fits) {
      layOut(slots, counts);
    }
  }

  private void layOut(List<Slot> slots, int[] counts) {
    int kept = Math.toIntExact(slots.stream().mapToLong(slot -> slot.used).sum());
    long[] from = new long[kept];
    long[] to = new long[kept];
    long places = 0;
    int at = 0;
    for (int i = 0; i < counts.length; i++) {
      Slot slot = slots.get(i);
      for (int token = 0; token < slot.used; token++, at++) {
        from[at] = slot.start + token;
        to[at] = places + token;
      }
      long blocks = (slot.used + counts[i] + block - 1) / block;
      slot.start = places;
      slot.capacity = Math.min((blocks + 1) * block, slot.limit);
      places += slot.capacity;
    }
    try (TensorScope scope = new TensorScope()) {
      Tensor old = Tensors.like(like, Tensors.of(from));
      Tensor now = Tensors.like(like, Tensors.of(to));
      for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
        move(keys, layer, places, old, now);
        move(values, layer, places, old, now);
      }
    }
  }

  private void move(List<Tensor> layers, int layer, long places, Tensor from, Tensor to) {
    try (TensorScope scope = new TensorScope()) {
      Tensor moved = llama.emptyActivations(places, config.numKeyValueHeads(), config.headDim());
      if (layer == layers.size()) {
        layers.add(TensorScope.own(moved));
        return;
      }
      Tensor old = layers.get(layer);
      if (from.numel() > 0) {
        moved.index_copy_(0, to, old.index_select(0, from));
      }
      layers.set(layer, TensorScope.own(moved));
      old.close();
    }
  }

  /**
   * The attention of one pass, for whose tokens there is room; they count as seen from here on. In
   * the current tensor scope.
   *
   * @param slots whose tokens are in the pass, in its order
   * @param counts new tokens of each
   */
  CachedAttention extend(List<Slot> slots, int[] counts) {
    int tokens = 0;
    for (int count : counts) {
      tokens += count;
    }
    long[] places = new long[tokens];
    List<CacheReader.Row> rows = new ArrayList<>();
    int at = 0;
    for (int i = 0; i < counts.length; i++) {
      Slot slot = slots.get(i);
      int first = at;
      for (int token = 0; token < counts[i]; token++) {
        places[at++] = slot.start + slot.used + token;
      }
      slot.used += counts[i];
      rows.add(new CacheReader.Row(first, counts[i], slot.start, slot.used));
    }
    Tensor to = Tensors.like(like, Tensors.of(places));
    CacheReader.Reading reading = reader.on(rows, like);
    return (layer, q, k, v) -> {
      try (TensorScope scope = new TensorScope()) {
        write(keys.get(layer), k, rows, to);
        write(values.get(layer), v, rows, to);
        return scope.keep(reading.attend(q, keys.get(layer), values.get(layer)));
      }
    };
  }

  private static void write(Tensor into, Tensor tokens, List<CacheReader.Row> rows, Tensor places) {
    if (rows.size() > FEW_ROWS) {
      into.index_copy_(0, places, tokens);
      return;
    }
    for (CacheReader.Row row : rows) {
      long first = row.keyStart() + row.keys() - row.queries();
      into.narrow(0, first, row.queries()).copy_(tokens.narrow(0, row.queryStart(), row.queries()));
    }
  }

  @Override
  public void close() {
    keys.forEach(Tensor::close);
    values.forEach(Tensor::close);
    like.close();
  }
}
