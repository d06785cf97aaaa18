package dev.anneal.training.tensor;

import org.bytedeco.pytorch.AutoGradMode;

/** Turns gradient recording on for the current thread until closed. */
public final class WithGrad implements AutoCloseable {
  private final AutoGradMode guard = new AutoGradMode(true);

  @Override
  public void close() {
    guard.close();
  }
}
