package dev.anneal.training.weights;

import dev.anneal.training.weights.LayerLayout.Part;
import java.util.ArrayList;
import java.util.List;

/**
 * What a rank copies to bring a layer together, the same for every layer: matrix by matrix, and of
 * every matrix first the part of the rank behind it, so that no two ranks read of the same one.
 *
 * @param device rows that lie on the ranks' devices, its own among them
 * @param uploads its own rows that wait on the host
 * @param host the other ranks' rows that these have brought up into their buffers, by rank in the
 *     order of the ring
 */
record PullPlan(List<Copy> device, List<Upload> uploads, List<List<Copy>> host) {
  /**
   * @param rank whose memory is read
   * @param from where in its rows of the layer, or in its buffer
   * @param to where in this rank's buffer
   */
  record Copy(int rank, long from, long to, long bytes) {}

  /**
   * A matrix' rows.
   *
   * @param part number of the matrix
   * @param to where in this rank's buffer
   */
  record Upload(int part, long to, long bytes) {}

  static PullPlan of(LayerLayout layout) {
    int ranks = layout.ranks();
    List<Copy> device = new ArrayList<>();
    List<Upload> uploads = new ArrayList<>();
    List<List<Copy>> host = new ArrayList<>();
    for (int p = 0; p < layout.parts().size(); p++) {
      Part part = layout.parts().get(p);
      for (int i = 0; i < ranks && part.deviceBytes() > 0; i++) {
        int rank = inRing(layout, i);
        device.add(new Copy(rank, part.at().device(), part.wholeOffset(rank), part.deviceBytes()));
      }
      if (part.hostBytes() > 0) {
        long to = part.wholeOffset(layout.rank()) + part.deviceBytes();
        uploads.add(new Upload(p, to, part.hostBytes()));
      }
    }
    for (int i = 0; i < ranks - 1 && !uploads.isEmpty(); i++) {
      int rank = inRing(layout, i);
      List<Copy> copies = new ArrayList<>();
      for (Part part : layout.parts()) {
        if (part.hostBytes() > 0) {
          long at = part.wholeOffset(rank) + part.deviceBytes();
          copies.add(new Copy(rank, at, at, part.hostBytes()));
        }
      }
      host.add(List.copyOf(copies));
    }
    return new PullPlan(List.copyOf(device), List.copyOf(uploads), List.copyOf(host));
  }

  private static int inRing(LayerLayout layout, int i) {
    return (layout.rank() + 1 + i) % layout.ranks();
  }
}
