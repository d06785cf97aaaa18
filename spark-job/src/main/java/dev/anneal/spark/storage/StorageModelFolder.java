package dev.anneal.spark.storage;

import dev.anneal.storage.Storage;
import dev.anneal.training.io.ModelFolder;
import java.io.IOException;
import java.nio.channels.SeekableByteChannel;

/** A model folder on any file system that Hadoop knows. */
public record StorageModelFolder(String uri, Storage storage) implements ModelFolder {

  @Override
  public String location() {
    return RunFolder.display(uri);
  }

  @Override
  public boolean has(String file) throws IOException {
    return storage.exists(uri + "/" + file);
  }

  @Override
  public SeekableByteChannel open(String file) throws IOException {
    return storage.openChannel(uri + "/" + file);
  }
}
