package dev.anneal.data.source;

import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.core.io.JsonEOFException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What is wrong with a file, in words that tell nothing of the library that found it. */
final class Damage {
  private static final Pattern UNEXPECTED = Pattern.compile("^Unexpected character \\('(.)'");
  private static final Pattern UNKNOWN = Pattern.compile("^Unrecognized token '([^']{1,40})'");

  /** Names of classes, methods and settings. */
  private static final Pattern CODE =
      Pattern.compile("`|\\(\\)|\\b(\\w+\\.)+[A-Z]\\w+|\\b[A-Za-z]*[a-z][A-Z]\\w*|^null$|^$");

  private Damage() {}

  /** Of JSON that could not be parsed. */
  static String ofJson(Exception fault) {
    String message = String.valueOf(fault.getMessage());
    if (fault instanceof StreamConstraintsException) {
      return "a text or number is too long, or too much is nested";
    }
    if (fault instanceof JsonEOFException) {
      return "it ends in the middle";
    }
    Matcher unexpected = UNEXPECTED.matcher(message);
    if (unexpected.find()) {
      return "'" + unexpected.group(1) + "' cannot stand here";
    }
    Matcher unknown = UNKNOWN.matcher(message);
    return unknown.find() ? "'" + unknown.group(1) + "' is not JSON" : "not JSON";
  }

  /** Of a binary file. */
  static String of(Throwable fault) {
    String message = String.valueOf(fault.getMessage());
    return CODE.matcher(message).find() ? "damaged" : message;
  }
}
