package dev.anneal.data.source;

import java.io.Serializable;

/**
 * A row as it stands in its file.
 *
 * @param index number of the row over all files, from 0
 * @param file URI of the file
 * @param row number of the row in its file, from 1
 * @param json the row's text
 */
public record SourceRow(long index, String file, long row, String json) implements Serializable {}
