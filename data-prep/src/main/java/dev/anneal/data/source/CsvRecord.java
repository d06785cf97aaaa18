package dev.anneal.data.source;

import java.util.ArrayList;
import java.util.List;

/** One record of a CSV file, taken in line by line as long as a quote is open. */
final class CsvRecord {
  private final char delimiter;
  private final List<String> fields = new ArrayList<>();
  private final StringBuilder field = new StringBuilder();
  private final StringBuilder text = new StringBuilder();
  private Place place = Place.START_OF_FIELD;
  private boolean malformed;

  private enum Place {
    START_OF_FIELD,
    BARE,
    QUOTED,
    BEHIND_QUOTE
  }

  CsvRecord(char delimiter) {
    this.delimiter = delimiter;
  }

  /** Goes on within a quote that is open. */
  void add(String lineEnd, String line) {
    field.append(lineEnd);
    text.append(lineEnd);
    add(line);
  }

  void add(String line) {
    text.append(line);
    for (int i = 0; i < line.length(); i++) {
      add(line.charAt(i));
    }
    if (place != Place.QUOTED) {
      endField();
    }
  }

  /** Whether the record goes on in the next line. */
  boolean isOpen() {
    return place == Place.QUOTED;
  }

  List<String> fields() {
    return fields;
  }

  /** The record as it stands in the file. */
  String text() {
    return text.toString();
  }

  int length() {
    return text.length();
  }

  /** Whether a field goes on behind its closing quote. */
  boolean isMalformed() {
    return malformed;
  }

  private void add(char c) {
    if (place == Place.QUOTED) {
      if (c == '"') {
        place = Place.BEHIND_QUOTE;
      } else {
        field.append(c);
      }
    } else if (c == delimiter) {
      endField();
    } else if (c == '"' && place != Place.BARE) {
      if (place == Place.BEHIND_QUOTE) {
        field.append(c);
      }
      place = Place.QUOTED;
    } else {
      malformed = malformed || place == Place.BEHIND_QUOTE;
      place = Place.BARE;
      field.append(c);
    }
  }

  private void endField() {
    fields.add(field.toString());
    field.setLength(0);
    place = Place.START_OF_FIELD;
  }
}
