package dev.anneal.training.io;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** An output folder on the local file system. */
public record LocalOutputFolder(Path path) implements OutputFolder {

  @Override
  public String location() {
    return path.toString();
  }

  @Override
  public OutputStream create(String file) throws IOException {
    Files.createDirectories(path);
    return Files.newOutputStream(path.resolve(file));
  }
}
