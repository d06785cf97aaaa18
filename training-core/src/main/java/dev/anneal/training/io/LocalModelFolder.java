package dev.anneal.training.io;

import java.io.IOException;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/** A model folder on the local file system. */
public record LocalModelFolder(Path path) implements ModelFolder {

  @Override
  public String location() {
    return path.toString();
  }

  @Override
  public boolean has(String file) {
    return Files.isRegularFile(path.resolve(file));
  }

  @Override
  public SeekableByteChannel open(String file) throws IOException {
    return Files.newByteChannel(path.resolve(file));
  }
}
