package dev.anneal.training.generate;

import dev.anneal.training.tensor.Operator;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * All sequences at once by libtorch's build of <a
 * href="https://arxiv.org/abs/2307.08691">FlashAttention-2</a>; 16-bit dtypes on GPUs only.
 */
final class FlashReader implements CacheReader {
  /** What the kernels are built for. */
  private static final int MAX_HEAD_DIM = 256;

  private static final int HEAD_DIM_MULTIPLE = 8;
  private static final Double NO_DROPOUT = 0.0;

  private final Operator forward = new Operator("aten::_flash_attention_forward");

  /** Whether it reads tensors like {@code like}. */
  static boolean serves(Tensor like, int headDim) {
    return like.is_cuda()
        && like.scalar_type().value == ScalarType.BFloat16.value
        && headDim <= MAX_HEAD_DIM
        && headDim % HEAD_DIM_MULTIPLE == 0;
  }

  @Override
  public Reading on(List<Row> rows, Tensor like) {
    int count = rows.size();
    long[] queryStarts = new long[count + 1];
    // the kernel reads where a row's keys begin here, and how many there are from the counts
    long[] keyStarts = new long[count + 1];
    long[] keyCounts = new long[count];
    long queries = 0;
    long keys = 0;
    for (int i = 0; i < count; i++) {
      Row row = rows.get(i);
      queryStarts[i + 1] = row.queryStart() + row.queries();
      keyStarts[i] = row.keyStart();
      keyStarts[i + 1] = row.keyStart() + row.keys();
      keyCounts[i] = row.keys();
      queries = Math.max(queries, row.queries());
      keys = Math.max(keys, row.keys());
    }
    Tensor queryOffsets = ints(queryStarts, like);
    Tensor keyOffsets = ints(keyStarts, like);
    Tensor used = ints(keyCounts, like);
    Long longestQuery = queries;
    Long longestKeys = keys;
    return (q, k, v) ->
        forward
            .call(
                1,
                q,
                k,
                v,
                queryOffsets,
                keyOffsets,
                longestQuery,
                longestKeys,
                NO_DROPOUT,
                true,
                false,
                null,
                null,
                null,
                used,
                null)[0]
            .reshape(q.size(0), -1);
  }

  private static Tensor ints(long[] values, Tensor like) {
    return Tensors.like(like, Tensors.of(values).to(ScalarType.Int));
  }
}
