package dev.anneal.data.token;

import java.util.List;

/**
 * A conversation as a chat template writes it.
 *
 * @param answers {@code [start, end)} of what the template marks as the assistant's, in UTF-16
 *     units; empty for a template without {@code {% generation %}}
 */
public record RenderedChat(String text, List<int[]> answers) {}
