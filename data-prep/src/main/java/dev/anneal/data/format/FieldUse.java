package dev.anneal.data.format;

import java.util.Set;

/**
 * What became of a row's fields.
 *
 * @param unread names of those that nothing reads
 * @param mapped columns of the mapping that the row has
 */
public record FieldUse(Set<String> unread, Set<String> mapped) {}
