package dev.anneal.training.weights;

import dev.anneal.training.io.OutputFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsWriter;
import dev.anneal.training.io.TensorSpec;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.io.OutputStream;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Trained parameters as a safetensors file, in the order of their names. */
public final class ParameterFile {
  private ParameterFile() {}

  /** Writes the fp32 values of {@code parameters}, rounded to {@code dtype}. */
  public static void write(Parameters parameters, DType dtype, OutputFolder folder, String file)
      throws IOException {
    SafetensorsDType stored = dtype == DType.FP32 ? SafetensorsDType.F32 : SafetensorsDType.BF16;
    List<TensorSpec> specs =
        parameters.names().stream()
            .sorted()
            .map(name -> new TensorSpec(name, stored, parameters.shape(name)))
            .toList();
    try (OutputStream out = folder.create(file)) {
      SafetensorsWriter.write(
          out,
          specs,
          (spec, sink) -> {
            try (TensorScope scope = new TensorScope()) {
              Tensor values = parameters.master(spec.name()).to(dtype.scalarType()).contiguous();
              sink.write(Tensors.bytes(values, 0).asByteBuffer());
            }
          });
    }
  }
}
