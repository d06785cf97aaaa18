package dev.anneal.data.token;

import ai.djl.huggingface.tokenizers.jni.CharSpan;
import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.Arrays;

/**
 * Hugging Face's {@code tokenizers} library through DJL's native binding. The binding is used
 * directly: DJL's own wrapper truncates by default, reports home, and copies eight arrays per text.
 */
final class NativeTokenizer implements TextEncoder, AutoCloseable {
  private static final TokenizersLibrary LIBRARY = load();

  // An executor keeps its copy until the broadcast goes, and then nobody is there to close it.
  private static final Cleaner CLEANER = Cleaner.create();

  private final long handle;
  private final Cleaner.Cleanable release;

  NativeTokenizer(String tokenizerJson) {
    long created = LIBRARY.createTokenizerFromString(tokenizerJson);
    handle = created;
    release = CLEANER.register(this, () -> LIBRARY.deleteTokenizer(created));
    LIBRARY.disableTruncation(handle);
    LIBRARY.disablePadding(handle);
  }

  // Without a flavor DJL looks for a GPU and downloads a CUDA build of the library.
  private static TokenizersLibrary load() {
    if (System.getProperty("RUST_FLAVOR") == null) {
      System.setProperty("RUST_FLAVOR", "cpu");
    }
    LibUtils.checkStatus();
    return TokenizersLibrary.LIB;
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
