package dev.anneal.data.token;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/**
 * Has the library tokenize a whole text and tells the places of its tokens from the bytes that each
 * of them stands for: to ask for the places takes as long as to tokenize.
 */
final class ByteLevelEncoder implements TextEncoder {
  private final NativeTokenizer library;
  // by id; 0 for what no text becomes
  private final int[] bytes;

  /**
   * @param json of a tokenizer whose tokens are bytes, and all bytes of a text become tokens
   */
  ByteLevelEncoder(NativeTokenizer library, TokenizerJson json, List<AddedTokens.Token> added) {
    this.library = library;
    this.bytes = new int[json.idBound()];
    // a byte is written as a character
    json.vocabulary().forEach((entry, id) -> bytes[id] = entry.length());
    for (AddedTokens.Token token : added) {
      bytes[token.id()] = token.content().getBytes(StandardCharsets.UTF_8).length;
    }
  }

  @Override
  public EncodedText encode(String text) {
    if (!CharacterKind.covers(text.toCharArray())) {
      return library.encode(text);
    }
    int[] ids = library.ids(text);
    int[] codePoints = codePointsByByte(text);
    int[] starts = new int[ids.length];
    int[] ends = new int[ids.length];
    int place = 0;
    for (int i = 0; i < ids.length; i++) {
      int length = ids[i] < bytes.length ? bytes[ids[i]] : 0;
      if (length == 0 || place + length > codePoints.length) {
        return library.encode(text);
      }
      // a token of some bytes of a character stands for all of it
      starts[i] = codePoints[place];
      place += length;
      ends[i] = codePoints[place - 1] + 1;
    }
    return place == codePoints.length ? new EncodedText(ids, starts, ends) : library.encode(text);
  }

  @Override
  public int[] ids(String text) {
    return library.ids(text);
  }

  /** Of every byte of the text in UTF-8 the number of its code point. */
  private static int[] codePointsByByte(String text) {
    int[] places = new int[4 * text.length()];
    int bytes = 0;
    int codePoint = 0;
    for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
      int length = CharacterKind.utf8Bytes(text.codePointAt(i));
      Arrays.fill(places, bytes, bytes + length, codePoint++);
      bytes += length;
    }
    return Arrays.copyOf(places, bytes);
  }
}
