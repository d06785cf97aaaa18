package dev.anneal.spark.storage;

import dev.anneal.training.io.OutputFolder;
import java.io.IOException;
import java.io.OutputStream;

/** A folder of the run's output folder, as the training core writes into it. */
public record RunOutputFolder(RunFolder run, String name) implements OutputFolder {

  @Override
  public String location() {
    return RunFolder.display(run.child(name));
  }

  @Override
  public OutputStream create(String file) throws IOException {
    return run.create(name + "/" + file);
  }
}
