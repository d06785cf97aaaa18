package dev.anneal.data.token;

import java.util.Arrays;

/**
 * What pieces of text became, found by the piece's characters where they stand in a text, without a
 * string of its own. Safe for use by several threads: an entry never changes, and one that a thread
 * does not see yet is made again.
 */
final class PieceTable {
  private static final int MAX_ENTRIES = 1 << 18;
  private static final int MAX_LENGTH = 64;

  /**
   * A piece with its tokens.
   *
   * @param tokens with their places counted from the piece's first code point
   */
  record Piece(char[] text, int hash, EncodedText tokens, int codePoints) {
    boolean is(char[] other, int start, int end, int otherHash) {
      return hash == otherHash && Arrays.equals(text, 0, text.length, other, start, end);
    }
  }

  // a power of two, and never more than half full
  private volatile Piece[] slots = new Piece[1 << 12];
  private int entries;

  /** The piece that stands at {@code [start, end)} of a text; {@code null} if it is not known. */
  Piece find(char[] text, int start, int end, int hash) {
    Piece[] table = slots;
    int mask = table.length - 1;
    for (int i = hash & mask; ; i = (i + 1) & mask) {
      Piece piece = table[i];
      if (piece == null || piece.is(text, start, end, hash)) {
        return piece;
      }
    }
  }

  /** Remembers a piece, if it is short and there is room. */
  synchronized void add(Piece piece) {
    if (piece.text().length > MAX_LENGTH || entries == MAX_ENTRIES) {
      return;
    }
    if (find(piece.text(), 0, piece.text().length, piece.hash()) == null) {
      entries++;
      Piece[] table = 2 * entries > slots.length ? doubled() : slots;
      put(table, piece);
      slots = table;
    }
  }

  /** Of the characters {@code [start, end)} of a text. */
  static int hash(char[] text, int start, int end) {
    int hash = 0;
    for (int i = start; i < end; i++) {
      hash = 31 * hash + text[i];
    }
    return hash ^ (hash >>> 16);
  }

  private Piece[] doubled() {
    Piece[] table = new Piece[2 * slots.length];
    for (Piece piece : slots) {
      if (piece != null) {
        put(table, piece);
      }
    }
    return table;
  }

  private static void put(Piece[] table, Piece piece) {
    int mask = table.length - 1;
    int i = piece.hash() & mask;
    while (table[i] != null) {
      i = (i + 1) & mask;
    }
    table[i] = piece;
  }
}
