package dev.anneal.training.weights.reader;

import dev.anneal.training.io.FileContent;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsWriter;
import dev.anneal.training.io.TensorSpec;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * Trained parameters as a safetensors file, in the order of the flat vector. One bucket at a time
 * is gathered from the ranks.
 */
public final class ParameterFile {
  private ParameterFile() {}

  /** What is written of a parameter. */
  public interface Form {
    /** As it is. */
    Form PLAIN =
        new Form() {
          @Override
          public long[] shape(String name, long... dims) {
            return dims;
          }

          @Override
          public Tensor of(String name, Tensor trained) {
            return trained;
          }
        };

    /** The shape that is written of a parameter of shape {@code dims}. */
    long[] shape(String name, long... dims);

    /**
     * The values that are written.
     *
     * @param trained the parameter in its shape
     * @return in the current tensor scope
     */
    Tensor of(String name, Tensor trained);
  }

  /**
   * The fp32 values of {@code parameters}, rounded to {@code dtype}; while they are written every
   * other rank calls {@link #contribute}.
   */
  public static FileContent content(Parameters parameters, DType dtype) {
    return content(parameters, dtype, Form.PLAIN);
  }

  /** The same in another form. */
  public static FileContent content(Parameters parameters, DType dtype, Form form) {
    SafetensorsDType stored = dtype == DType.FP32 ? SafetensorsDType.F32 : SafetensorsDType.BF16;
    List<TensorSpec> specs =
        parameters.layout().names().stream()
            .map(
                name ->
                    new TensorSpec(name, stored, form.shape(name, parameters.layout().shape(name))))
            .toList();
    return out -> {
      try (OpenBucket open = new OpenBucket(parameters)) {
        SafetensorsWriter.write(
            out,
            specs,
            (spec, sink) -> {
              try (TensorScope scope = new TensorScope()) {
                Tensor values = form.of(spec.name(), open.values(spec.name()));
                Tensor written = values.to(dtype.scalarType()).cpu().contiguous();
                sink.write(Tensors.bytes(written, 0).asByteBuffer());
              }
            });
      }
    };
  }

  /** Hands this rank's part of every bucket to the rank that writes. */
  public static void contribute(Parameters parameters) {
    for (int bucket = 0; bucket < parameters.layout().buckets().size(); bucket++) {
      try (TensorScope scope = new TensorScope()) {
        parameters.gatherMaster(bucket);
      }
    }
  }

  /** The bucket that is being written. */
  private static final class OpenBucket implements AutoCloseable {
    private final Parameters parameters;
    private int bucket = -1;
    private Tensor values;

    OpenBucket(Parameters parameters) {
      this.parameters = parameters;
    }

    Tensor values(String name) {
      if (parameters.layout().bucket(name) != bucket) {
        close();
        bucket = parameters.layout().bucket(name);
        values = TensorScope.own(parameters.gatherMaster(bucket));
      }
      return parameters.layout().inBucket(values, name);
    }

    @Override
    public void close() {
      if (values != null) {
        values.close();
        values = null;
      }
    }
  }
}
