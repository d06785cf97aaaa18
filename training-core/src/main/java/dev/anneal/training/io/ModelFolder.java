package dev.anneal.training.io;

import java.io.IOException;
import java.nio.channels.SeekableByteChannel;

/** A folder in the Hugging Face layout, wherever it lies: local disk or an object store. */
public interface ModelFolder {

  /** What to call this folder in a message: its path or URI. */
  String location();

  /** What to call {@code file} of this folder in a message. */
  default String locationOf(String file) {
    return location() + "/" + file;
  }

  /** Whether {@code file} (a plain name, e.g. {@code config.json}) is there. */
  boolean has(String file) throws IOException;

  /** Opens {@code file} for reading at any offset; the caller closes it. */
  SeekableByteChannel open(String file) throws IOException;
}
