package dev.anneal.training.weights.reader;

import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Weights that a rank holds whole, on its device and in one dtype. */
public final class WholeTensors {
  private final Device device;
  private final DType dtype;
  private final List<WantedRows> wanted = new ArrayList<>();

  public WholeTensors(Device device, DType dtype) {
    this.device = device;
    this.dtype = dtype;
  }

  /**
   * Memory for the weight {@code name} in the current tensor scope, filled once {@link #wanted} is
   * read.
   *
   * @param shape one or two dimensions
   */
  public Tensor want(String name, long... shape) {
    Tensor whole = Tensors.empty(device, dtype.scalarType(), shape);
    long rows = shape.length == 1 ? 1 : shape[0];
    long columns = shape[shape.length - 1];
    Tensor matrix = whole.view(rows, columns);
    wanted.add(
        new WantedRows(
            name,
            0,
            rows,
            columns,
            (row, values) -> matrix.narrow(0, row, values.size(0)).copy_(values)));
    return whole;
  }

  /** All that was asked for so far. */
  public List<WantedRows> wanted() {
    return List.copyOf(wanted);
  }
}
