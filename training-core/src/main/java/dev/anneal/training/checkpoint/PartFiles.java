package dev.anneal.training.checkpoint;

import dev.anneal.training.io.FileContent;
import dev.anneal.training.io.OutputFolder;
import dev.anneal.training.io.SafetensorsDType;
import dev.anneal.training.io.SafetensorsIndex;
import dev.anneal.training.io.SafetensorsWriter;
import dev.anneal.training.io.TensorSpec;
import dev.anneal.training.io.WrittenFile;
import dev.anneal.training.lora.FirstFactors;
import dev.anneal.training.lora.PeftConfig;
import dev.anneal.training.optim.Parameters;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Writes a rank's files of a checkpoint from its snapshot. */
final class PartFiles {
  private final Snapshot snapshot;
  private final Parameters parameters;
  private final long numel;
  private final SafetensorsDType computeDtype;
  private final RankRole role;

  PartFiles(Snapshot snapshot, Parameters parameters, RankRole role) {
    this.snapshot = snapshot;
    this.parameters = parameters;
    this.numel = parameters.layout().parts().total();
    this.computeDtype =
        parameters.computeDtype() == DType.FP32 ? SafetensorsDType.F32 : SafetensorsDType.BF16;
    this.role = role;
  }

  /**
   * Writes them into {@code folder}, the rank's own first.
   *
   * @param bestStep see {@link CheckpointPart}
   */
  CheckpointPart write(TrainerState state, long bestStep, OutputFolder folder) throws IOException {
    List<WrittenFile> files = new ArrayList<>();
    FileContent own = out -> SafetensorsWriter.write(out, RankFile.tensors(numel), this::part);
    files.add(own.writeAs(folder, RankFile.name(role.rank(), role.worldSize())));
    if (role.rank() == 0) {
      files.add(FileContent.text(state.toJson()).writeAs(folder, TrainerState.FILE));
    }
    if (role.writesAdapter()) {
      FileContent adapter = out -> SafetensorsWriter.write(out, adapterTensors(), this::adapter);
      files.add(adapter.writeAs(folder, SafetensorsIndex.ADAPTER_FILE));
      files.add(FileContent.text(role.adapterConfig().toJson()).writeAs(folder, PeftConfig.FILE));
    }
    if (role.first() != null) {
      files.add(role.first().content().writeAs(folder, FirstFactors.FILE));
    }
    return new CheckpointPart(state.step(), role.rank(), role.worldSize(), bestStep, files);
  }

  private void part(TensorSpec tensor, SafetensorsWriter.Sink sink) throws IOException {
    snapshot.write(
        switch (tensor.name()) {
          case RankFile.MASTER -> 0;
          case RankFile.EXP_AVG -> 1;
          case RankFile.EXP_AVG_SQ -> 2;
          default -> throw new IllegalArgumentException(tensor.name());
        },
        unlessInterrupted(sink));
  }

  private List<TensorSpec> adapterTensors() {
    return parameters.layout().names().stream()
        .map(name -> new TensorSpec(name, computeDtype, writtenShape(name)))
        .toList();
  }

  private long[] writtenShape(String name) {
    long[] shape = parameters.layout().shape(name);
    return role.first() == null ? shape : role.first().shape(name, shape);
  }

  private void adapter(TensorSpec tensor, SafetensorsWriter.Sink sink) throws IOException {
    if (role.first() != null) {
      try (TensorScope scope = new TensorScope()) {
        Tensor values = role.first().of(tensor.name(), snapshot.compute(tensor.name()));
        Tensor written = values.to(parameters.computeDtype().scalarType()).contiguous();
        unlessInterrupted(sink).write(Tensors.bytes(written, 0).asByteBuffer());
      }
      return;
    }
    snapshot.writeCompute(tensor.name(), tensor.byteSize(), unlessInterrupted(sink));
  }

  /** Not every stream notices that its thread is interrupted. */
  private static SafetensorsWriter.Sink unlessInterrupted(SafetensorsWriter.Sink sink) {
    return bytes -> {
      if (Thread.currentThread().isInterrupted()) {
        throw new InterruptedIOException("the checkpoint was abandoned");
      }
      sink.write(bytes);
    };
  }
}
