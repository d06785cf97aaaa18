package dev.anneal.data.token;

import java.util.Arrays;

/**
 * Tokenizes a text piece by piece and remembers what each piece became. A byte-pair tokenizer looks
 * at every piece alone, and few pieces make most of a text, so the library is asked once a piece
 * instead of once a text. Safe for use by several threads.
 */
final class PieceTokenizer implements TextEncoder {
  private final NativeTokenizer library;
  private final PreTokenizer preTokenizer;
  private final AddedTokens addedTokens;
  private final PieceTable pieces = new PieceTable();

  PieceTokenizer(NativeTokenizer library, PreTokenizer preTokenizer, AddedTokens addedTokens) {
    this.library = library;
    this.preTokenizer = preTokenizer;
    this.addedTokens = addedTokens;
  }

  @Override
  public EncodedText encode(String text) {
    // characters of an array are read faster than those of a string
    char[] chars = text.toCharArray();
    if (!CharacterKind.covers(chars)) {
      return library.encode(text);
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

  private void encode(char[] text, int start, int limit, Growing encoded) {
    int position = start;
    while (position < limit) {
      int end = preTokenizer.end(text, position, limit);
      encoded.add(piece(text, position, end));
      position = end;
    }
  }

  private PieceTable.Piece piece(char[] text, int start, int end) {
    int hash = PieceTable.hash(text, start, end);
    PieceTable.Piece known = pieces.find(text, start, end, hash);
    if (known != null) {
      return known;
    }
    char[] chars = Arrays.copyOfRange(text, start, end);
    PieceTable.Piece piece =
        new PieceTable.Piece(
            chars,
            hash,
            library.encode(new String(chars)),
            Character.codePointCount(chars, 0, chars.length));
    pieces.add(piece);
    return piece;
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
