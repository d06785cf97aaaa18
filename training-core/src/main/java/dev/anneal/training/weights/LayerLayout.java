package dev.anneal.training.weights;

import dev.anneal.training.model.ModuleGroup;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * How the matrices of a decoder layer lie end to end in flat buffers of bytes: the whole layer, and
 * a rank's part of it. The rows of every matrix are dealt out evenly to the ranks, so a gather of
 * one matrix' parts gives the matrix and no row is split; of a rank's rows of every matrix the last
 * wait in the host's memory. All layers lie alike.
 *
 * @param ranks how many ranks share a layer
 * @param rank the one whose part it is
 */
record LayerLayout(List<Part> parts, int ranks, int rank) {
  /** Products and gathers want their operands aligned. */
  private static final long ALIGNMENT = 256;

  /**
   * Where a matrix begins, in bytes but for the scales.
   *
   * @param whole in the buffer of a whole layer
   * @param device a rank's first rows, in its buffer on the device
   * @param host its last rows, in its buffer on the host
   * @param scale its scales, among those of a layer
   */
  record Offsets(long whole, long device, long host, long scale) {}

  /**
   * One matrix.
   *
   * @param rows of the matrix
   * @param rowBytes bytes of a row
   * @param shardRows rows of each rank; those beyond {@code rows} are zero
   * @param hostRows how many of them, the last, wait in the host's memory
   * @param at where it begins
   */
  record Part(
      ModuleGroup group,
      long rows,
      long columns,
      long rowBytes,
      long shardRows,
      long hostRows,
      Offsets at) {

    /** Where a rank's rows begin in the buffer of a whole layer. */
    long wholeOffset(int rank) {
      return at.whole() + rank * shardBytes();
    }

    /** Bytes of a rank's rows. */
    long shardBytes() {
      return shardRows * rowBytes;
    }

    /** Bytes of those rows that stay on the device. */
    long deviceBytes() {
      return (shardRows - hostRows) * rowBytes;
    }

    /** Bytes of those that wait on the host. */
    long hostBytes() {
      return hostRows * rowBytes;
    }
  }

  /**
   * @param offloadRatio share of a rank's rows that wait on the host, 0 to 1
   */
  static LayerLayout of(LlamaConfig config, DType dtype, int ranks, int rank, double offloadRatio) {
    List<Part> parts = new ArrayList<>();
    long whole = 0;
    long device = 0;
    long host = 0;
    long scale = 0;
    for (ModuleGroup group : ModuleGroup.values()) {
      long rows = group.outFeatures(config);
      long columns = group.inFeatures(config);
      long shardRows = shardRows(rows, ranks);
      long hostRows = Math.round(shardRows * offloadRatio);
      Part part =
          new Part(
              group,
              rows,
              columns,
              columns * dtype.bytes(),
              shardRows,
              hostRows,
              new Offsets(whole, device, host, scale));
      parts.add(part);
      whole += aligned(ranks * part.shardBytes());
      device += aligned(part.deviceBytes());
      host += part.hostBytes();
      scale += shardRows;
    }
    return new LayerLayout(List.copyOf(parts), ranks, rank);
  }

  /** Rows that each of {@code ranks} holds of a matrix of {@code rows}; the last may be padding. */
  static long shardRows(long rows, int ranks) {
    return (rows + ranks - 1) / ranks;
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** Whether this rank has every layer whole on its device. */
  boolean resident() {
    return ranks == 1 && hostBytes() == 0;
  }

  /** Bytes of a whole layer. */
  long wholeBytes() {
    return parts.stream().mapToLong(p -> aligned(ranks * p.shardBytes())).sum();
  }

  /** Bytes of a layer that this rank keeps on its device. */
  long deviceBytes() {
    return parts.stream().mapToLong(p -> aligned(p.deviceBytes())).sum();
  }

  /** Bytes of a layer that this rank keeps on the host. */
  long hostBytes() {
    return parts.stream().mapToLong(Part::hostBytes).sum();
  }

  /** Rows of this rank's part of a layer, over all matrices. */
  long shardRows() {
    return parts.stream().mapToLong(Part::shardRows).sum();
  }

  /** Rows of a layer, over all matrices. */
  long rows() {
    return parts.stream().mapToLong(Part::rows).sum();
  }

  /** Whether some of this rank's rows lie beyond the end of their matrix. */
  boolean padded() {
    return parts.stream().anyMatch(p -> (rank + 1) * p.shardRows() > p.rows());
  }
}
