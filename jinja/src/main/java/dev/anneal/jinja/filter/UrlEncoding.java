package dev.anneal.jinja.filter;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Iteration;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Undefined;
import dev.anneal.jinja.python.Values;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Texts and parameters as they stand in addresses. */
final class UrlEncoding {
  private UrlEncoding() {}

  static Object of(Object value) {
    if (Values.isText(value) || !Iteration.isIterable(value)) {
      return quoted(value, "/");
    }
    if (value instanceof Undefined) {
      return "";
    }
    List<String> parts = new ArrayList<>();
    if (value instanceof Map<?, ?> map) {
      map.forEach((key, item) -> parts.add(parameter(key, item)));
    } else {
      Iterator<?> pairs = Iteration.of(value);
      while (pairs.hasNext()) {
        List<Object> pair = new ArrayList<>();
        Iteration.of(pairs.next()).forEachRemaining(pair::add);
        if (pair.size() != 2) {
          throw TemplateException.value("urlencode takes pairs");
        }
        parts.add(parameter(pair.get(0), pair.get(1)));
      }
    }
    return String.join("&", parts);
  }

  private static String parameter(Object key, Object value) {
    return quoted(key, "").replace("%20", "+") + "=" + quoted(value, "").replace("%20", "+");
  }

  private static String quoted(Object value, String safe) {
    StringBuilder text = new StringBuilder();
    for (byte b : Repr.str(value).getBytes(StandardCharsets.UTF_8)) {
      char c = (char) (b & 0xff);
      boolean plain =
          c < 128
              && (Character.isLetterOrDigit(c) || "_.-~".indexOf(c) >= 0 || safe.indexOf(c) >= 0);
      text.append(plain ? String.valueOf(c) : String.format(Locale.ROOT, "%%%02X", (int) c));
    }
    return text.toString();
  }
}
