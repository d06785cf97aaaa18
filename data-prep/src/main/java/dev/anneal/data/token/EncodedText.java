package dev.anneal.data.token;

/**
 * Tokens of a text with the stretch of text that each stands for.
 *
 * @param ids token ids
 * @param starts position of each token's first code point in the text
 * @param ends position behind each token's last code point
 */
public record EncodedText(int[] ids, int[] starts, int[] ends) {}
