package dev.anneal.training.io;

import java.io.IOException;
import java.io.OutputStream;

/** A folder that results are written into, wherever it lies: local disk or an object store. */
public interface OutputFolder {

  /** What to call this folder in a message: its path or URI. */
  String location();

  /**
   * Opens {@code file} (a plain name) for writing from its start, replacing what was there; parent
   * folders appear as needed. The caller closes it, and only then is the file complete.
   */
  OutputStream create(String file) throws IOException;
}
