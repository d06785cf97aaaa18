package dev.anneal.training.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_STATUS_SUCCESS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_BACKEND_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_BOOLEAN;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_INT64;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.cuda.cudnn.cudnnBackendDescriptor_t;
import org.bytedeco.cuda.global.cudnn;
import org.bytedeco.javacpp.BoolPointer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * An object of <a href="https://docs.nvidia.com/deeplearning/cudnn/backend/latest/">cuDNN's backend
 * interface</a>, filled by attributes and then finished.
 */
final class Descriptor implements AutoCloseable {
  private static final int MESSAGE_BYTES = 1024;

  private final cudnnBackendDescriptor_t pointer = new cudnnBackendDescriptor_t();
  private final String what;

  /**
   * An empty one.
   *
   * @param type one of {@code CUDNN_BACKEND_..._DESCRIPTOR}
   * @param what its name in errors
   */
  Descriptor(int type, String what) {
    this.what = what;
    check(cudnn.cudnnBackendCreateDescriptor(type, pointer), "make " + what);
  }

  /** Throws what cuDNN says of a call that failed. */
  static void check(int status, String doing) {
    if (status != CUDNN_STATUS_SUCCESS) {
      byte[] message = new byte[MESSAGE_BYTES];
      cudnn.cudnnGetLastErrorString(message, MESSAGE_BYTES);
      try (BytePointer name = cudnn.cudnnGetErrorString(status)) {
        String said = new String(message, StandardCharsets.UTF_8);
        throw CudnnException.of(
            status,
            "cuDNN cannot %s: %s%s"
                .formatted(
                    doing,
                    name.getString(),
                    said.charAt(0) == 0 ? "" : ", " + said.substring(0, said.indexOf(0)).strip()));
      }
    }
  }

  /** Integers of 64 bits. */
  Descriptor longs(int attribute, long... values) {
    try (LongPointer array = new LongPointer(values)) {
      return set(attribute, CUDNN_TYPE_INT64, values.length, array);
    }
  }

  /** An integer of 32 bits, as those of enumerations are. */
  Descriptor code(int attribute, int type, int value) {
    try (IntPointer array = new IntPointer(1L)) {
      return set(attribute, type, 1, array.put(value));
    }
  }

  Descriptor truth(int attribute, boolean value) {
    try (BoolPointer array = new BoolPointer(1)) {
      return set(attribute, CUDNN_TYPE_BOOLEAN, 1, array.put(value));
    }
  }

  Descriptor link(int attribute, Descriptor other) {
    return link(attribute, List.of(other));
  }

  Descriptor link(int attribute, List<Descriptor> others) {
    long[] addresses = others.stream().mapToLong(other -> other.pointer.address()).toArray();
    return addresses(attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, addresses);
  }

  /** Pointers of a type. */
  Descriptor addresses(int attribute, int type, long... values) {
    try (LongPointer array = new LongPointer(values)) {
      return set(attribute, type, values.length, array);
    }
  }

  Descriptor set(int attribute, int type, long count, Pointer values) {
    check(
        cudnn.cudnnBackendSetAttribute(pointer, attribute, type, count, values),
        "set attribute %s of %s".formatted(attribute, what));
    return this;
  }

  /** From here on it can be used, and no longer changed. */
  Descriptor finish() {
    check(cudnn.cudnnBackendFinalize(pointer), "make " + what);
    return this;
  }

  long getLong(int attribute) {
    try (LongPointer value = new LongPointer(1L)) {
      get(attribute, CUDNN_TYPE_INT64, 1, value);
      return value.get();
    }
  }

  /** At most {@code most} values of an enumeration. */
  List<Integer> codes(int attribute, int type, int most) {
    try (IntPointer values = new IntPointer((long) most)) {
      long count = get(attribute, type, most, values);
      int[] codes = new int[(int) Math.min(count, most)];
      values.get(codes);
      return Arrays.stream(codes).boxed().toList();
    }
  }

  /** Fills {@code others}, which are empty, with descriptors; how many there are. */
  int fill(int attribute, List<Descriptor> others) {
    long[] addresses = others.stream().mapToLong(other -> other.pointer.address()).toArray();
    try (LongPointer array = new LongPointer(addresses)) {
      return (int) get(attribute, CUDNN_TYPE_BACKEND_DESCRIPTOR, addresses.length, array);
    }
  }

  private long get(int attribute, int type, long most, Pointer values) {
    long[] count = new long[1];
    check(
        cudnn.cudnnBackendGetAttribute(pointer, attribute, type, most, count, values),
        "tell attribute %s of %s".formatted(attribute, what));
    return count[0];
  }

  cudnnBackendDescriptor_t pointer() {
    return pointer;
  }

  @Override
  public void close() {
    if (!pointer.isNull()) {
      cudnn.cudnnBackendDestroyDescriptor(pointer);
      pointer.setNull();
    }
  }
}
