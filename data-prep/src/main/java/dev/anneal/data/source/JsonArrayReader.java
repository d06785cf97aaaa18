package dev.anneal.data.source;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import dev.anneal.storage.Storage;
import java.io.BufferedInputStream;
import java.io.CharConversionException;
import java.io.IOException;
import java.io.StringWriter;

/** Rows of a JSON array, one at a time. */
final class JsonArrayReader extends RowReader {
  private final String file;
  private final JsonParser parser;
  private long row;

  private JsonArrayReader(String file, JsonParser parser) {
    this.file = file;
    this.parser = parser;
  }

  static JsonArrayReader of(String file, Storage storage) throws IOException {
    BufferedInputStream in = SourceStream.open(file, storage);
    try {
      JsonParser parser = JsonRows.FACTORY.createParser(SourceStream.skipByteOrderMark(in));
      parser.nextToken();
      return new JsonArrayReader(file, parser);
    } catch (IOException | RuntimeException e) {
      in.close();
      throw e;
    }
  }

  @Override
  Row read() {
    return next(
        () -> {
          StringWriter text = new StringWriter();
          try (JsonGenerator out = JsonRows.FACTORY.createGenerator(text)) {
            out.copyCurrentStructure(parser);
          }
          return Row.of(text.toString());
        });
  }

  @Override
  public long count(long limit) {
    long rows = 0;
    while (rows < limit && next(parser::skipChildren) != null) {
      rows++;
    }
    return rows;
  }

  @Override
  public void close() throws IOException {
    parser.close();
  }

  private interface Consumption<T> {
    T consume() throws IOException;
  }

  /** What is made of the next element; null behind the last one. */
  private <T> T next(Consumption<T> consumption) {
    row++;
    try {
      if (parser.nextToken() != JsonToken.END_ARRAY) {
        return consumption.consume();
      }
      if (parser.nextToken() != null) {
        throw broken(file, place(line()), "text after the end of the array", null);
      }
      return null;
    } catch (JsonProcessingException e) {
      // what exceeds a limit of the parser has no location
      int line = e.getLocation() == null ? line() : e.getLocation().getLineNr();
      throw broken(file, place(line), Damage.ofJson(e), e);
    } catch (CharConversionException e) {
      throw broken(file, place(line()), "not UTF-8", e);
    } catch (IOException e) {
      throw stopped(file, e);
    }
  }

  private int line() {
    return parser.currentLocation().getLineNr();
  }

  private String place(int line) {
    return "line " + line + ", row " + row;
  }
}
