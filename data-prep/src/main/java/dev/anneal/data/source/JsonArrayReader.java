package dev.anneal.data.source;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.CharConversionException;
import java.io.IOException;
import java.io.InputStream;

/** Rows of a JSON array, one at a time. */
final class JsonArrayReader extends RowReader {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final String file;
  private final JsonParser parser;

  JsonArrayReader(String file, InputStream in) throws IOException {
    super(in);
    this.file = file;
    this.parser = JSON.getFactory().createParser(in);
    parser.nextToken();
  }

  @Override
  public long bytesRead() {
    return parser.currentLocation().getByteOffset();
  }

  @Override
  JsonNode read() {
    try {
      if (parser.nextToken() != JsonToken.END_ARRAY) {
        return JSON.readTree(parser);
      }
      if (parser.nextToken() != null) {
        throw broken(file, line(), "text after the end of the array", null);
      }
      return null;
    } catch (JsonProcessingException e) {
      throw broken(file, e.getLocation().getLineNr(), e.getOriginalMessage(), e);
    } catch (CharConversionException e) {
      throw broken(file, line(), "not UTF-8", e);
    } catch (IOException e) {
      throw stopped(file, e);
    }
  }

  private int line() {
    return parser.currentLocation().getLineNr();
  }
}
