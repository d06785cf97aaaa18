package dev.anneal.training.cudnn;

import java.util.EnumMap;
import java.util.Map;

/**
 * Some heads of queries with the heads of keys that they share.
 *
 * @param part which, from 0
 * @param parts of so many equal ones
 */
public record HeadPart(int part, int parts) {
  /** Where the part's heads are in operands of all of {@code whole}'s. */
  public Map<AttentionOperand, Long> addresses(
      Map<AttentionOperand, Long> operands, AttentionShape whole) {
    long queryHead = (long) part * (whole.heads() / parts);
    long keyHead = (long) part * (whole.kvHeads() / parts);
    long headBytes = (long) whole.headDim() * Short.BYTES;
    Map<AttentionOperand, Long> ofPart = new EnumMap<>(operands);
    ofPart.replaceAll(
        (operand, address) ->
            switch (operand) {
              case QUERY, OUTPUT, D_OUTPUT, D_QUERY -> address + queryHead * headBytes;
              case KEY, VALUE, D_KEY, D_VALUE -> address + keyHead * headBytes;
              case LOGSUMEXP, DELTA -> address + queryHead * Float.BYTES;
              // rows are where they are, and room is used by one part after the other
              default -> address;
            });
    return ofPart;
  }
}
