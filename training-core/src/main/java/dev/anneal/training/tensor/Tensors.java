package dev.anneal.training.tensor;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;

/** The presets' construction noise, so that model code can read like its paper. */
public final class Tensors {
  private Tensors() {}

  public static Tensor empty(ScalarType type, long... shape) {
    return empty(Device.CPU, type, shape);
  }

  public static Tensor empty(Device device, ScalarType type, long... shape) {
    return torch.empty(shape, device.options(type), new MemoryFormatOptional());
  }

  /** Uninitialized, of {@code like}'s device and dtype. */
  public static Tensor emptyLike(Tensor like, long... shape) {
    return torch.empty(shape, like.options(), new MemoryFormatOptional());
  }

  /** Uninitialized, of {@code like}'s device. */
  public static Tensor emptyLike(Tensor like, ScalarType type, long... shape) {
    return torch.empty(
        shape, like.options().dtype(new ScalarTypeOptional(type)), new MemoryFormatOptional());
  }

  /**
   * {@code [bytes]} uint8 in memory that libtorch has not given out. It is there for as long as
   * whoever holds it says; the tensor does not keep it.
   *
   * @param address on {@code device}; any for no bytes
   */
  public static Tensor over(Device device, long address, long bytes) {
    return bytes == 0
        ? empty(device, ScalarType.Byte, 0)
        : torch.from_blob(
            new Address(address), new long[] {bytes}, device.options(ScalarType.Byte));
  }

  public static Tensor zeros(ScalarType type, long... shape) {
    return zeros(Device.CPU, type, shape);
  }

  public static Tensor zeros(Device device, ScalarType type, long... shape) {
    return torch.zeros(shape, device.options(type));
  }

  public static Tensor ones(Device device, ScalarType type, long... shape) {
    return torch.ones(shape, device.options(type));
  }

  /** {@code tensor} on the device of {@code there}. */
  public static Tensor like(Tensor there, Tensor tensor) {
    return there.is_cuda() ? tensor.to(there.device(), tensor.scalar_type()) : tensor;
  }

  /** {@code tensor} on {@code device}: itself if it is there, else a copy. */
  public static Tensor to(Device device, Tensor tensor) {
    if (tensor.is_cuda() == device.isGpu()) {
      return tensor;
    }
    return tensor.to(device.torch(), tensor.scalar_type());
  }

  /** {@code [n]} of int64. */
  public static Tensor of(long[] values) {
    Tensor tensor = empty(ScalarType.Long, values.length);
    // an empty tensor has no memory to point to
    if (values.length > 0) {
      new LongPointer(tensor.data_ptr()).put(values);
    }
    return tensor;
  }

  /** {@code [n]} of fp64. */
  public static Tensor of(double[] values) {
    Tensor tensor = empty(ScalarType.Double, values.length);
    // an empty tensor has no memory to point to
    if (values.length > 0) {
      new DoublePointer(tensor.data_ptr()).put(values);
    }
    return tensor;
  }

  /** The values of a contiguous fp64 tensor on the host. */
  public static double[] doubles(Tensor tensor) {
    double[] values = new double[Math.toIntExact(tensor.numel())];
    new DoublePointer(tensor.data_ptr()).get(values);
    return values;
  }

  /** The values of a contiguous int64 tensor on the host. */
  public static long[] longs(Tensor tensor) {
    long[] values = new long[Math.toIntExact(tensor.numel())];
    new LongPointer(tensor.data_ptr()).get(values);
    return values;
  }

  /** The bytes behind a contiguous tensor on the host, from {@code offset} on. */
  public static BytePointer bytes(Tensor tensor, long offset) {
    BytePointer memory = new BytePointer(tensor.data_ptr());
    return memory.capacity(tensor.nbytes()).position(offset);
  }

  /** The sizes of {@code tensor}'s dimensions. */
  public static long[] shape(Tensor tensor) {
    long[] shape = new long[Math.toIntExact(tensor.dim())];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = tensor.size(i);
    }
    return shape;
  }

  public static Tensor cat(Tensor... parts) {
    return torch.cat(new TensorVector(parts), 0);
  }

  public static Tensor cat(long dim, Tensor... parts) {
    return torch.cat(new TensorVector(parts), dim);
  }

  /** Where the last dimension's largest value is, the first of equals; int64. */
  public static Tensor argmax(Tensor tensor) {
    return tensor.argmax(new LongOptional(-1), false);
  }

  /** The largest values of the last dimension. */
  public static Tensor amax(Tensor tensor) {
    return tensor.amax(new long[] {-1}, false);
  }

  /** The sums over the last dimension; of bool the counts in int64. */
  public static Tensor sum(Tensor tensor) {
    return tensor.sum(-1);
  }

  /** The {@code k} largest values of the last dimension, the largest first. */
  public static Tensor largest(Tensor tensor, long k) {
    // elements of a tuple are borrowed: a tensor of our own outlives it
    return new Tensor(torch.topk(tensor, k, -1, true, true).get0());
  }

  /** The values of the last dimension, the smallest first. */
  public static Tensor sort(Tensor tensor) {
    return new Tensor(torch.sort(tensor, -1, false).get0());
  }

  public static Scalar scalar(double value) {
    return new Scalar(value);
  }

  /** {@code tensor} with every value cut to {@code [-bound, bound]}. */
  public static Tensor clamp(Tensor tensor, double bound) {
    return tensor.clamp(new ScalarOptional(scalar(-bound)), new ScalarOptional(scalar(bound)));
  }

  /** Whether all values are finite numbers. */
  public static boolean areFinite(Tensor tensor) {
    // two passes without copies; a value that is no number goes through both
    return tensor.numel() == 0
        || (Double.isFinite(tensor.max().item_double())
            && Double.isFinite(tensor.min().item_double()));
  }

  /** For operators on whole numbers, which a floating-point one would be rounded for. */
  public static Scalar whole(long value) {
    return new Scalar(value);
  }

  /** A leaf of a new graph that shares {@code tensor}'s memory. */
  public static Tensor leaf(Tensor tensor) {
    return tensor.detach().requires_grad_(true);
  }

  /** Fills in place from the uniform distribution over {@code [-bound, bound)}. */
  public static Tensor uniform(Tensor tensor, double bound, long seed) {
    return tensor.uniform_(-bound, bound, generator(tensor, seed));
  }

  /** Fills in place from the normal distribution of mean 0. */
  public static Tensor normal(Tensor tensor, double deviation, long seed) {
    return tensor.normal_(0, deviation, generator(tensor, seed));
  }

  /** Fills in place with 1 (with probability {@code p}) or 0. */
  public static Tensor bernoulli(Tensor tensor, double p, long seed) {
    return tensor.bernoulli_(p, generator(tensor, seed));
  }

  /** A stream of random numbers where {@code tensor} is. */
  private static GeneratorOptional generator(Tensor tensor, long seed) {
    if (!tensor.is_cuda()) {
      return new GeneratorOptional(torch.make_generator_cpu(seed));
    }
    Generator generator = torch_cuda.make_generator_cuda(tensor.device().index());
    generator.set_current_seed(seed);
    return new GeneratorOptional(generator);
  }
}
