package dev.anneal.data.prep;

import dev.anneal.data.format.TokenizedRow;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/** Best-fit decreasing: the longest rows first, each into the fullest sequence that has room. */
public final class Packer {
  private Packer() {}

  /**
   * Distributes rows over sequences of at most {@code maxLength} tokens without splitting any.
   *
   * @param rows none longer than {@code maxLength}
   * @return the rows of each sequence in their given order; sequences in the order of their first
   *     row. The same rows give the same result.
   */
  public static List<List<TokenizedRow>> pack(List<TokenizedRow> rows, int maxLength) {
    List<Integer> longestFirst =
        IntStream.range(0, rows.size())
            .boxed()
            .sorted(Comparator.comparingInt(i -> -rows.get(i).length()))
            .toList();
    TreeMap<Integer, Deque<List<Integer>>> byRoom = new TreeMap<>();
    List<List<Integer>> sequences = new ArrayList<>();
    for (int row : longestFirst) {
      int length = rows.get(row).length();
      Map.Entry<Integer, Deque<List<Integer>>> fullest = byRoom.ceilingEntry(length);
      List<Integer> sequence;
      int room;
      if (fullest == null) {
        sequence = new ArrayList<>();
        sequences.add(sequence);
        room = maxLength;
      } else {
        room = fullest.getKey();
        sequence = fullest.getValue().pollFirst();
        if (fullest.getValue().isEmpty()) {
          byRoom.remove(room);
        }
      }
      sequence.add(row);
      byRoom.computeIfAbsent(room - length, r -> new ArrayDeque<>()).addLast(sequence);
    }
    sequences.forEach(sequence -> sequence.sort(Comparator.naturalOrder()));
    sequences.sort(Comparator.comparing(sequence -> sequence.get(0)));
    return sequences.stream().map(s -> s.stream().map(rows::get).toList()).toList();
  }
}
