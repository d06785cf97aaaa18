package dev.anneal.training.fused;

import dev.anneal.training.cudnn.AttentionShape.Strides;
import dev.anneal.training.cudnn.RowGroup;
import dev.anneal.training.tensor.Device;
import java.util.Arrays;
import java.util.List;

/**
 * Where the rows of a micro-batch lie, for all of its layers.
 *
 * @param forward all rows
 * @param backward the groups that a backward takes one after the other; none if a row is too long
 */
record RowsOnDevice(
    int[] rowLengths, Strides strides, GroupOnDevice forward, List<GroupOnDevice> backward)
    implements AutoCloseable {
  static RowsOnDevice of(
      int[] rowLengths, Strides strides, List<RowGroup> backward, Device device) {
    return new RowsOnDevice(
        rowLengths,
        strides,
        GroupOnDevice.of(rowLengths, RowGroup.all(rowLengths), strides, device),
        backward.stream()
            .map(group -> GroupOnDevice.of(rowLengths, group, strides, device))
            .toList());
  }

  boolean areThoseOf(int[] otherLengths, Strides otherStrides) {
    return strides.equals(otherStrides) && Arrays.equals(rowLengths, otherLengths);
  }

  @Override
  public void close() {
    forward.close();
    backward.forEach(GroupOnDevice::close);
  }
}
