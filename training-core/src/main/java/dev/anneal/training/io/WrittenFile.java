package dev.anneal.training.io;

import java.io.Serializable;

/**
 * A file as it was written.
 *
 * @param name relative to the folder it was written into
 * @param sha256 of its content, 64 hexadecimal digits
 */
public record WrittenFile(String name, long bytes, String sha256) implements Serializable {}
