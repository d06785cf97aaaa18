package dev.anneal.data.token;

import java.util.Arrays;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Tokenizes a text piece by piece and remembers what each piece became. A byte-pair tokenizer looks
 * at every piece alone, and few pieces make most of a text, so the library is asked once a piece
 * instead of once a text. Safe for use by several threads.
 */
final class PieceTokenizer implements TextEncoder {
  private static final int MAX_REMEMBERED = 1 << 18;
  private static final int MAX_REMEMBERED_LENGTH = 64;

  private final NativeTokenizer library;
  private final PreTokenizer preTokenizer;
  private final AddedTokens addedTokens;
  private final ConcurrentHashMap<String, Piece> pieces = new ConcurrentHashMap<>();

  /** A piece's tokens, with their places counted from the piece's first code point. */
  private record Piece(EncodedText tokens, int codePoints) {}

  PieceTokenizer(NativeTokenizer library, PreTokenizer preTokenizer, AddedTokens addedTokens) {
    this.library = library;
    this.preTokenizer = preTokenizer;
    this.addedTokens = addedTokens;
  }

  @Override
  public EncodedText encode(String text) {
    if (!CharacterKind.covers(text)) {
      return library.encode(text);
    }
    Growing encoded = new Growing(16 + text.length() / 3);
    int position = 0;
    AddedTokens.Found added = addedTokens.next(text, 0);
    while (added != null) {
      encode(text, position, added.start(), encoded);
      AddedTokens.Token token = added.token();
      encoded.add(token.id(), token.content().codePointCount(0, token.content().length()));
      position = added.start() + token.content().length();
      added = addedTokens.next(text, position);
    }
    encode(text, position, text.length(), encoded);
    return encoded.finish();
  }

  private void encode(String text, int start, int limit, Growing encoded) {
    int position = start;
    while (position < limit) {
      int end = preTokenizer.end(text, position, limit);
      encoded.add(piece(text.substring(position, end)));
      position = end;
    }
  }

  private Piece piece(String text) {
    Piece known = pieces.get(text);
    if (known != null) {
      return known;
    }
    Piece piece = new Piece(library.encode(text), text.codePointCount(0, text.length()));
    if (text.length() <= MAX_REMEMBERED_LENGTH && pieces.size() < MAX_REMEMBERED) {
      pieces.put(text, piece);
    }
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

    void add(Piece piece) {
      EncodedText encoded = piece.tokens();
      reserve(encoded.ids().length);
      for (int i = 0; i < encoded.ids().length; i++) {
        put(encoded.ids()[i], encoded.starts()[i], encoded.ends()[i]);
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
