package dev.anneal.data.token;

import ai.djl.huggingface.tokenizers.jni.CharSpan;
import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import ai.djl.util.Utils;
import dev.anneal.data.error.OneLine;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.Arrays;

/**
 * Hugging Face's {@code tokenizers} library through DJL's native binding. The binding is used
 * directly: DJL's own wrapper truncates by default, reports home, and copies eight arrays per text.
 */
final class NativeTokenizer implements TextEncoder {
  private static final Library LOADED = load();
  private static final TokenizersLibrary LIBRARY = LOADED.library();

  // An executor keeps its copy until the broadcast goes, and then nobody is there to close it.
  private static final Cleaner CLEANER = Cleaner.create();

  /**
   * The library as it could be loaded.
   *
   * @param library {@code null} where it could not
   * @param failure {@code null} where it could
   */
  private record Library(TokenizersLibrary library, Exception failure) {}

  private final long handle;
  private final Cleaner.Cleanable release;

  NativeTokenizer(String tokenizerJson) {
    long created = LIBRARY.createTokenizerFromString(tokenizerJson);
    handle = created;
    release = CLEANER.register(this, () -> LIBRARY.deleteTokenizer(created));
    LIBRARY.disableTruncation(handle);
    LIBRARY.disablePadding(handle);
  }

  /**
   * To be asked before the first of them is made.
   *
   * @throws UncheckedIOException if the library cannot be unpacked or loaded
   */
  static void requireLibrary() {
    if (LIBRARY == null) {
      throw unusable(LOADED.failure());
    }
  }

  // Without a flavor DJL looks for a GPU and downloads a CUDA build of the library.
  private static Library load() {
    if (System.getProperty("RUST_FLAVOR") == null) {
      System.setProperty("RUST_FLAVOR", "cpu");
    }
    try {
      LibUtils.checkStatus();
      return new Library(TokenizersLibrary.LIB, null);
    } catch (RuntimeException e) {
      return new Library(null, e);
    }
  }

  private static UncheckedIOException unusable(Exception failure) {
    Throwable cause = failure;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return new UncheckedIOException(
        OneLine.of(
            "The tokenizers library cannot be unpacked below %s or loaded from there (%s): set DJL_CACHE_DIR to a folder that this user can write to and run libraries from."
                .formatted(Utils.getEngineCacheDir(), cause)),
        new IOException(failure));
  }

  @Override
  public int[] ids(String text) {
    long encoding = LIBRARY.encode(handle, text, false);
    try {
      return toInts(LIBRARY.getTokenIds(encoding));
    } finally {
      LIBRARY.deleteEncoding(encoding);
      Reference.reachabilityFence(this);
    }
  }

  @Override
  public EncodedText encode(String text) {
    long encoding = LIBRARY.encode(handle, text, false);
    try {
      int[] ids = toInts(LIBRARY.getTokenIds(encoding));
      int[] starts = new int[ids.length];
      int[] ends = new int[ids.length];
      CharSpan[] spans = LIBRARY.getTokenCharSpans(encoding);
      for (int i = 0; i < ids.length; i++) {
        starts[i] = spans[i] == null ? 0 : spans[i].getStart();
        ends[i] = spans[i] == null ? 0 : spans[i].getEnd();
      }
      return new EncodedText(ids, starts, ends);
    } finally {
      LIBRARY.deleteEncoding(encoding);
      Reference.reachabilityFence(this);
    }
  }

  String decode(int[] ids, SpecialTokens specialTokens) {
    long[] wide = Arrays.stream(ids).asLongStream().toArray();
    try {
      return LIBRARY.decode(handle, wide, specialTokens == SpecialTokens.SKIP);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  @Override
  public void close() {
    release.clean();
  }

  private static int[] toInts(long[] wide) {
    int[] ids = new int[wide.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = (int) wide[i];
    }
    return ids;
  }
}
