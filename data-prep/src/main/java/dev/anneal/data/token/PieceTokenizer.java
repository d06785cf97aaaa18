package dev.anneal.data.token;

import java.util.Arrays;

/**
 * Tokenizes a text piece by piece and remembers what each piece became. A byte-pair tokenizer looks
 * at every piece alone, and few pieces make most of a text, so the library is asked once a piece
 * instead of once a text. Safe for use by several threads.
 */
final class PieceTokenizer implements TextEncoder {
  private final TextEncoder alone;
  private final PreTokenizer preTokenizer;
  private final AddedTokens addedTokens;
  private final SpacePrefix prefix;
  // null where every text can be cut
  private final TextEncoder whole;
  private final PieceTable pieces = new PieceTable();
  private final PieceTable prefixed = new PieceTable();

  /** Of a tokenizer whose pieces depend on the kinds of characters. */
  PieceTokenizer(NativeTokenizer library, PreTokenizer preTokenizer, AddedTokens addedTokens) {
    this(library, preTokenizer, addedTokens, SpacePrefix.NOWHERE, library);
  }

  /**
   * Of a tokenizer whose pieces begin with spaces.
   *
   * @param alone what a piece becomes that has no space in front of it that is not its own
   */
  PieceTokenizer(
      TextEncoder alone, PreTokenizer preTokenizer, AddedTokens addedTokens, SpacePrefix prefix) {
    this(alone, preTokenizer, addedTokens, prefix, null);
  }

  private PieceTokenizer(
      TextEncoder alone,
      PreTokenizer preTokenizer,
      AddedTokens addedTokens,
      SpacePrefix prefix,
      TextEncoder whole) {
    this.alone = alone;
    this.preTokenizer = preTokenizer;
    this.addedTokens = addedTokens;
    this.prefix = prefix;
    this.whole = whole;
  }

  @Override
  public EncodedText encode(String text) {
    // characters of an array are read faster than those of a string
    char[] chars = text.toCharArray();
    if (whole != null && !CharacterKind.covers(chars)) {
      return whole.encode(text);
    }
    Growing encoded = new Growing(16 + chars.length / 3);
    int position = 0;
    AddedTokens.Found added = addedTokens.next(chars, 0);
    while (added != null) {
      encode(chars, position, added.start(), encoded);
      AddedTokens.Token token = added.token();
      encoded.add(token.id(), token.content().codePointCount(0, token.content().length()));
      position = added.start() + token.content().length();
      added = addedTokens.next(chars, position);
    }
    encode(chars, position, chars.length, encoded);
    return encoded.finish();
  }

  @Override
  public void close() {
    alone.close();
  }

  private void encode(char[] text, int start, int limit, Growing encoded) {
    int position = start;
    while (position < limit) {
      int end = preTokenizer.end(text, position, limit);
      boolean hasPrefix = position == start && prefix.isBefore(text[start], start == 0);
      encoded.add(piece(text, position, end, hasPrefix));
      position = end;
    }
  }

  private PieceTable.Piece piece(char[] text, int start, int end, boolean hasPrefix) {
    PieceTable table = hasPrefix ? prefixed : pieces;
    int hash = PieceTable.hash(text, start, end);
    PieceTable.Piece known = table.find(text, start, end, hash);
    if (known != null) {
      return known;
    }
    char[] chars = Arrays.copyOfRange(text, start, end);
    String piece = new String(chars);
    PieceTable.Piece made =
        new PieceTable.Piece(
            chars,
            hash,
            hasPrefix ? withoutSpace(alone.encode(" " + piece)) : alone.encode(piece),
            Character.codePointCount(chars, 0, chars.length));
    table.add(made);
    return made;
  }

  /** The places without the space in front, which stands for the character behind it. */
  private static EncodedText withoutSpace(EncodedText spaced) {
    return new EncodedText(
        spaced.ids(),
        Arrays.stream(spaced.starts()).map(start -> Math.max(0, start - 1)).toArray(),
        Arrays.stream(spaced.ends()).map(end -> Math.max(1, end - 1)).toArray());
  }

  /** Tokens of the text so far. */
  private static final class Growing {
    private int[] ids;
    private int[] starts;
    private int[] ends;
    private int tokens;
    private int codePoints;

    Growing(int capacity) {
      ids = new int[capacity];
      starts = new int[capacity];
      ends = new int[capacity];
    }

    void add(int id, int length) {
      reserve(1);
      put(id, 0, length);
      codePoints += length;
    }

    void add(PieceTable.Piece piece) {
      EncodedText encoded = piece.tokens();
      int[] pieceIds = encoded.ids();
      reserve(pieceIds.length);
      for (int i = 0; i < pieceIds.length; i++) {
        put(pieceIds[i], encoded.starts()[i], encoded.ends()[i]);
      }
      codePoints += piece.codePoints();
    }

    EncodedText finish() {
      return new EncodedText(
          Arrays.copyOf(ids, tokens), Arrays.copyOf(starts, tokens), Arrays.copyOf(ends, tokens));
    }

    private void put(int id, int start, int end) {
      ids[tokens] = id;
      starts[tokens] = codePoints + start;
      ends[tokens] = codePoints + end;
      tokens++;
    }

    private void reserve(int more) {
      if (tokens + more > ids.length) {
        int capacity = Math.max(2 * ids.length, tokens + more);
        ids = Arrays.copyOf(ids, capacity);
        starts = Arrays.copyOf(starts, capacity);
        ends = Arrays.copyOf(ends, capacity);
      }
    }
  }
}
