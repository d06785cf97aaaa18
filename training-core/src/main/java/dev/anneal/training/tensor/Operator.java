package dev.anneal.training.tensor;

import org.bytedeco.pytorch.Dispatcher;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.OperatorHandle;
import org.bytedeco.pytorch.Tensor;

/**
 * An operator of libtorch's dispatcher, called with boxed arguments: the way to those whose names
 * begin with an underscore, which the presets leave out.
 */
public final class Operator {
  private final OperatorHandle handle;

  /**
   * Looks it up.
   *
   * @param name e.g. {@code aten::_scaled_mm}
   * @throws RuntimeException if this libtorch has no such operator
   */
  public Operator(String name) {
    this(name, "");
  }

  /** The same of one of several of a name, e.g. {@code out}. */
  public Operator(String name, String overload) {
    handle = Dispatcher.singleton().findSchemaOrThrow(name, overload);
    // the handle points into the dispatcher's table, which outlives every scope
    handle.retainReference();
  }

  /**
   * Calls it.
   *
   * @param arguments every argument of the schema in order: tensors, numbers, booleans, {@code
   *     null} for none
   * @return the first {@code outputs} results, in the current tensor scope
   */
  public Tensor[] call(int outputs, Object... arguments) {
    IValueVector stack = new IValueVector();
    for (Object argument : arguments) {
      stack.push_back(boxed(argument));
    }
    handle.callBoxed(stack);
    Tensor[] results = new Tensor[outputs];
    for (int i = 0; i < outputs; i++) {
      results[i] = new Tensor(stack.get(i).toTensor());
    }
    return results;
  }

  private static IValue boxed(Object argument) {
    if (argument == null) {
      return new IValue();
    }
    if (argument instanceof Tensor tensor) {
      return new IValue(tensor);
    }
    if (argument instanceof Double number) {
      return new IValue(number.doubleValue());
    }
    if (argument instanceof Long number) {
      return new IValue(number.longValue());
    }
    if (argument instanceof Boolean truth) {
      return new IValue(truth.booleanValue());
    }
    throw new IllegalArgumentException("no boxed form for " + argument.getClass());
  }
}
