package dev.anneal.spark.generate;

import dev.anneal.data.token.Message;
import java.util.List;

/**
 * A prompt as it was given.
 *
 * @param place where, for messages
 * @param given what its line of the result repeats: a JSON object
 * @param messages the conversation so far, which ends with what is to be answered
 */
record AskedPrompt(String place, String given, List<Message> messages) {}
