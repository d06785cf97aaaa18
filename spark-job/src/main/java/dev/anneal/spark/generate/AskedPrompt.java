package dev.anneal.spark.generate;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.data.token.Message;
import java.util.List;

/**
 * A prompt as it was given.
 *
 * @param place where, for messages
 * @param given what its line of the result repeats
 * @param messages the conversation so far, which ends with what is to be answered
 */
record AskedPrompt(String place, ObjectNode given, List<Message> messages) {}
