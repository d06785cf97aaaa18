package dev.anneal.training.tensor;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;

/**
 * Frees every tensor that the current thread makes while this scope is its innermost one.
 *
 * <p>The garbage collector sees a tensor as a few bytes, whatever it holds, so each unit of work (a
 * run, a step, a layer) opens a scope and lets go of what it made. Scopes are bound to their thread
 * and close in the reverse order of opening.
 */
public final class TensorScope implements AutoCloseable {
  private final PointerScope outer = PointerScope.getInnerScope();
  private final PointerScope scope = new PointerScope();

  /**
   * Hands {@code tensor} to the scope around this one, which then frees it.
   *
   * @throws IllegalStateException if no scope is around this one
   */
  public Tensor keep(Tensor tensor) {
    if (outer == null) {
      throw new IllegalStateException("there is no outer scope to keep the tensor in");
    }
    // attach first: detaching the last holder frees the tensor
    outer.attach(tensor);
    scope.detach(tensor);
    return tensor;
  }

  /** Frees {@code tensor}, which belongs to this scope, before the scope closes. */
  public void free(Tensor tensor) {
    scope.detach(tensor);
  }

  /** Takes {@code tensor} out of the scopes: from here on it lives until its own {@code close}. */
  public static Tensor own(Tensor tensor) {
    tensor.retainReference();
    return tensor;
  }

  /**
   * Runs {@code end} when the innermost scope of the current thread closes, for what belongs to it
   * as a tensor does and is none.
   *
   * @throws IllegalStateException if no scope is open
   */
  public static void atClose(Runnable end) {
    if (PointerScope.getInnerScope() == null) {
      throw new IllegalStateException("there is no scope that could close");
    }
    new Ending(end);
  }

  /** A pointer to nothing, which scopes let go of as of others. */
  private static final class Ending extends Pointer {
    Ending(Runnable end) {
      deallocator(end::run);
    }
  }

  @Override
  public void close() {
    scope.close();
  }
}
