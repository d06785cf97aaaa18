package dev.anneal.training.lora;

import dev.anneal.training.io.FileContent;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsWriter;
import dev.anneal.training.io.TensorSpec;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import dev.anneal.training.weights.reader.ParameterFile;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * The factors {@code A0} and {@code B0} that PiSSA has taken out of the weights, and the adapter
 * that makes up for them: {@code B A - B0 A0} of twice the rank, for the weights as they were. As
 * {@code (B - B0) A + B0 (A - A0)} neither product is much larger than their sum, so that it can be
 * rounded to bf16; PEFT converts to {@code B A + (-B0) A0}, which is the same in exact numbers.
 *
 * @param values by their names in PEFT's form, in fp32 on the host
 */
public record FirstFactors(Map<String, Tensor> values) implements ParameterFile.Form {
  /** The file of a checkpoint that holds them. */
  public static final String FILE = "pissa_init.safetensors";

  private static final String A = ".lora_A.weight";

  public FirstFactors {
    values = new LinkedHashMap<>(values);
  }

  @Override
  public long[] shape(String name, long... dims) {
    return name.endsWith(A) ? new long[] {2 * dims[0], dims[1]} : new long[] {dims[0], 2 * dims[1]};
  }

  @Override
  public Tensor of(String name, Tensor trained) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Tensor now = trained.cpu().to(ScalarType.Float);
      Tensor first = values.get(name);
      Tensor moved = now.sub(first);
      return scope.keep(
          name.endsWith(A) ? Tensors.cat(0, now, moved) : Tensors.cat(1, moved, first));
    }
  }

  /** {@link #FILE}. */
  public FileContent content() {
    List<TensorSpec> specs =
        values.entrySet().stream()
            .map(
                factor ->
                    new TensorSpec(
                        factor.getKey(), SafetensorsDType.F32, Tensors.shape(factor.getValue())))
            .toList();
    return out ->
        SafetensorsWriter.write(
            out,
            specs,
            (spec, sink) -> sink.write(Tensors.bytes(values.get(spec.name()), 0).asByteBuffer()));
  }
}
