package dev.anneal.spark.faults;

import dev.anneal.training.io.LocalModelFolder;
import dev.anneal.training.io.SafetensorsFile;
import dev.anneal.training.io.SafetensorsWriter;
import dev.anneal.training.io.TensorEntry;
import dev.anneal.training.io.TensorSpec;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The bundled model with one token whose embedding is NaN: a row that has it spoils its step. */
public final class PoisonedModel {
  /** The token. */
  public static final int POISON = 1000;

  private static final Path MODEL = FaultCluster.HOME.resolve("conf/tiny/model");
  private static final String FILE = "model.safetensors";
  private static final String EMBEDDING = "model.embed_tokens.weight";
  private static final String HEAD = "lm_head.weight";
  private static final short BF16_NAN = 0x7fc0;

  private PoisonedModel() {}

  /** Writes it; its head is its own, so that only rows with the token see the NaN. */
  public static Path write(Path folder) throws IOException {
    Files.createDirectory(folder);
    String config = Files.readString(MODEL.resolve("config.json"));
    Files.writeString(
        folder.resolve("config.json"),
        config.replace("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"));
    try (SafetensorsFile model = SafetensorsFile.open(new LocalModelFolder(MODEL), FILE);
        OutputStream out = Files.newOutputStream(folder.resolve(FILE))) {
      List<TensorSpec> tensors = new ArrayList<>();
      for (TensorEntry tensor : model.header().entries().values()) {
        tensors.add(new TensorSpec(tensor.name(), tensor.dtype(), tensor.shape()));
      }
      TensorEntry embedding = model.header().entries().get(EMBEDDING);
      tensors.add(new TensorSpec(HEAD, embedding.dtype(), embedding.shape()));
      SafetensorsWriter.write(out, tensors, (tensor, sink) -> sink.write(data(model, tensor)));
    }
    return folder;
  }

  private static ByteBuffer data(SafetensorsFile model, TensorSpec tensor) throws IOException {
    String name = tensor.name().equals(HEAD) ? EMBEDDING : tensor.name();
    ByteBuffer data =
        ByteBuffer.allocate(Math.toIntExact(tensor.byteSize())).order(ByteOrder.LITTLE_ENDIAN);
    model.read(model.header().entries().get(name), 0, data);
    data.flip();
    if (tensor.name().equals(EMBEDDING)) {
      int row = Math.toIntExact(tensor.byteSize() / tensor.shape()[0]);
      for (int offset = 0; offset < row; offset += Short.BYTES) {
        data.putShort(POISON * row + offset, BF16_NAN);
      }
    }
    return data;
  }
}
