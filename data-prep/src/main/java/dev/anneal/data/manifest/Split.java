package dev.anneal.data.manifest;

import java.util.Locale;

/** A part of a prepared data set. */
public enum Split {
  TRAIN("part"),
  EVAL("eval");

  private final String filePrefix;

  Split(String filePrefix) {
    this.filePrefix = filePrefix;
  }

  /** Name of the part's file number {@code index}, such as {@code part-00000.arrow}. */
  public String fileName(int index) {
    return String.format(Locale.ROOT, "%s-%05d.arrow", filePrefix, index);
  }
}
