package dev.anneal.data.token;

import java.util.List;
import java.util.Optional;

/**
 * A conversation as a chat template writes it.
 *
 * @param marked {@code [start, end)} of what the template marks with {@code {% generation %}} as
 *     the assistant's, in UTF-16 units; nothing for a template that does not mark
 */
public record RenderedChat(String text, Optional<List<int[]>> marked) {}
