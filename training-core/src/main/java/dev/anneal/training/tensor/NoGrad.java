package dev.anneal.training.tensor;

import org.bytedeco.pytorch.AutoGradMode;

/** Turns gradient recording off for the current thread until closed. */
public final class NoGrad implements AutoCloseable {
  // AutoGradMode restores the mode it found; a leaked one would turn gradients off for good
  private final AutoGradMode guard = new AutoGradMode(false);

  @Override
  public void close() {
    guard.close();
  }
}
