package dev.anneal.data.source;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Rows of a file with one JSON object a line; blank lines do not count. */
final class JsonLinesReader extends RowReader {
  private static final ObjectReader JSON =
      JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS).build().reader();

  private final String file;
  private final InputStream in;
  private long line;
  private long bytes;

  JsonLinesReader(String file, InputStream in) {
    super(in);
    this.file = file;
    this.in = in;
  }

  @Override
  public long bytesRead() {
    return bytes;
  }

  @Override
  JsonNode read() {
    try {
      String text = readLine();
      while (text != null && text.isBlank()) {
        text = readLine();
      }
      return text == null ? null : JSON.readTree(text);
    } catch (JsonProcessingException e) {
      throw broken(file, line, e.getOriginalMessage(), e);
    } catch (CharacterCodingException e) {
      throw broken(file, line, "not UTF-8", e);
    } catch (IOException e) {
      throw stopped(file, e);
    }
  }

  /** The next line without its end; null behind the last one. */
  private String readLine() throws IOException {
    ByteArrayOutputStream buffer = new ByteArrayOutputStream(512);
    int c = in.read();
    if (c == -1) {
      return null;
    }
    line++;
    while (c != -1 && c != '\n') {
      buffer.write(c);
      c = in.read();
    }
    bytes += buffer.size() + 1;
    return StandardCharsets.UTF_8
        .newDecoder()
        .decode(ByteBuffer.wrap(buffer.toByteArray()))
        .toString();
  }
}
