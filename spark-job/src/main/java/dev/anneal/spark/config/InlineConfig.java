package dev.anneal.spark.config;

import dev.anneal.spark.BadRequestException;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A configuration file that comes within the command line, as a {@code data:} URI (<a
 * href="https://www.rfc-editor.org/rfc/rfc2397">RFC 2397</a>): {@code
 * data:application/yaml;name=%2Fhome%2Fme%2Fmy.yaml;base64,bW9kZWw6...}. So a file of the machine
 * that gives the command reaches a driver anywhere; {@code name} is where it lies there.
 */
final class InlineConfig {
  private static final Pattern FORM =
      Pattern.compile("data:application/yaml;name=([^;,]*);base64,([A-Za-z0-9+/=]*)");

  private InlineConfig() {}

  static boolean isOne(String location) {
    return location.startsWith("data:");
  }

  static ConfigFile read(String location) {
    Matcher parts = FORM.matcher(location);
    if (!parts.matches()) {
      throw refusal(null);
    }
    try {
      // a plus sign is one, not a space
      String encoded = parts.group(1).replace("+", "%2B");
      String name = URLDecoder.decode(encoded, StandardCharsets.UTF_8);
      byte[] bytes = Base64.getDecoder().decode(parts.group(2));
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      Path folder = Path.of(name).getParent();
      return new ConfigFile(name, text, Optional.ofNullable(folder).map(Path::toString));
    } catch (CharacterCodingException | IllegalArgumentException e) {
      throw refusal(e);
    }
  }

  private static BadRequestException refusal(Exception cause) {
    return new BadRequestException(
        "--config begins with data: but is not data:application/yaml;name=NAME;base64,CONTENT: name a file.",
        cause);
  }
}
