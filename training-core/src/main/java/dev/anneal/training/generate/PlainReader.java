package dev.anneal.training.generate;

import dev.anneal.training.model.Attention;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** One sequence after the other, on any device and in any dtype. */
final class PlainReader implements CacheReader {
  @Override
  public Reading on(List<Row> rows, Tensor like) {
    return (q, keys, values) -> {
      Tensor[] attended = new Tensor[rows.size()];
      for (int i = 0; i < attended.length; i++) {
        Row row = rows.get(i);
        attended[i] =
            Attention.row(
                q.narrow(0, row.queryStart(), row.queries()),
                keys.narrow(0, row.keyStart(), row.keys()),
                values.narrow(0, row.keyStart(), row.keys()));
      }
      return Tensors.cat(attended);
    };
  }
}
