package dev.anneal.training;

import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Loads libtorch and runs every test in a tensor scope of its own. */
public final class InTensorScope implements BeforeEachCallback, AfterEachCallback {
  private static final ExtensionContext.Namespace NAMESPACE =
      ExtensionContext.Namespace.create(InTensorScope.class);

  @Override
  public void beforeEach(ExtensionContext context) {
    NativeLibraries.load();
    context.getStore(NAMESPACE).put(TensorScope.class, new TensorScope());
  }

  @Override
  public void afterEach(ExtensionContext context) {
    context.getStore(NAMESPACE).remove(TensorScope.class, TensorScope.class).close();
  }
}
