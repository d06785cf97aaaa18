package dev.anneal.training.collective;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Tensors;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** Every collective once, against what it must give; every rank calls it. */
final class CollectiveCalls {
  private static final int SIZE = 1000;

  private CollectiveCalls() {}

  static void check(Collectives collectives) {
    check(collectives, Device.CPU);
  }

  /** Within a tensor scope. */
  static void check(Collectives collectives, Device device) {
    collectives.barrier();
    for (ScalarType type : new ScalarType[] {ScalarType.Float, ScalarType.BFloat16}) {
      allReduce(collectives, device, type);
      reduceScatter(collectives, device, type);
      allGather(collectives, device, type);
    }
    allGather(collectives, device, ScalarType.Float8_e4m3fn);
    collectives.barrier();
    collectives.check();
  }

  private static void allReduce(Collectives collectives, Device device, ScalarType type) {
    int n = collectives.worldSize();
    Tensor mine = of(device, type, SIZE, collectives.rank() + 1);
    collectives.allReduceSum(mine);
    assertSame(mine, of(device, type, SIZE, n * (n + 1) / 2));
  }

  private static void reduceScatter(Collectives collectives, Device device, ScalarType type) {
    int n = collectives.worldSize();
    int rank = collectives.rank();
    // part r of every rank holds r + 1
    Tensor whole = parts(device, type, n);
    Tensor shard = of(device, type, SIZE, -1);
    collectives.reduceScatterSum(shard, whole);
    Tensor expected = of(device, type, SIZE, n * (rank + 1));
    assertSame(shard, expected);
    Tensor mine = whole.narrow(0, (long) rank * SIZE, SIZE);
    collectives.reduceScatterSum(mine, whole);
    assertSame(mine, expected);
  }

  private static void allGather(Collectives collectives, Device device, ScalarType type) {
    Tensor shard = of(device, type, SIZE, collectives.rank() + 1);
    Tensor expected = parts(device, type, collectives.worldSize());
    assertSame(collectives.allGather(shard), expected);
    Tensor whole = of(device, type, collectives.worldSize() * SIZE, -1);
    collectives.allGatherInto(whole, shard);
    assertSame(whole, expected);
  }

  private static Tensor parts(Device device, ScalarType type, int n) {
    Tensor[] parts =
        IntStream.rangeClosed(1, n)
            .mapToObj(value -> of(device, ScalarType.Float, SIZE, value))
            .toArray(Tensor[]::new);
    return Tensors.cat(parts).to(type);
  }

  private static Tensor of(Device device, ScalarType type, int size, int value) {
    Tensor tensor = Tensors.ones(device, ScalarType.Float, size);
    return tensor.mul(Tensors.scalar(value)).to(type);
  }

  private static void assertSame(Tensor actual, Tensor expected) {
    assertThat(actual.scalar_type().intern()).isEqualTo(expected.scalar_type().intern());
    assertThat(torch.equal(actual.to(ScalarType.Float), expected.to(ScalarType.Float))).isTrue();
  }
}
