package dev.anneal.spark.report;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.spark.AnnealVersion;
import dev.anneal.training.io.Sha256;
import java.util.Base64;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * A page in one file that asks nothing of anybody, written from its start to its end. What stands
 * on it is often foreign text, so all of it is escaped, and the page's policy lets nothing load and
 * no script run but the one that it was made with.
 */
public final class HtmlPage {
  /** By which a page is known as one of ours, near its start. */
  static final String GENERATOR = "<meta name=\"generator\" content=\"Anneal ";

  private static final String STYLE =
      """
      :root { color-scheme: light dark; --ink: #1b1d21; --page: #fbfbfa; --line: #d9d9d6;
        --quiet: #63666d; --tint: #f0f1ee; }
      @media (prefers-color-scheme: dark) {
        :root { --ink: #e4e5e7; --page: #17181b; --line: #383a3f; --quiet: #a0a3aa;
          --tint: #212327; } }
      * { box-sizing: border-box; }
      body { margin: 0 auto; padding: 1.5rem; max-width: 90rem; color: var(--ink);
        background: var(--page); font: 16px/1.5 system-ui, sans-serif; }
      h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
      h2 { font-size: 1rem; margin: 0 0 .5rem; }
      dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 0 1rem; }
      dt, .quiet { color: var(--quiet); }
      dd { margin: 0; overflow-wrap: anywhere; }
      .scroll { overflow-x: auto; margin-bottom: 1.5rem; }
      table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
      th, td { padding: .25rem .9rem .25rem 0; text-align: right; white-space: nowrap;
        border-bottom: 1px solid var(--line); }
      th:first-child, td:first-child { text-align: left; }
      article { border-top: 1px solid var(--line); padding: 1rem 0; }
      .side { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); }
      .text { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--tint);
        padding: .6rem .8rem; border-radius: .3rem; unicode-bidi: isolate; }
      .prompt { margin-bottom: 1rem; max-height: 24rem; overflow-y: auto; }
      """;

  private final StringBuilder html = new StringBuilder();
  private final UnaryOperator<String> masked;
  private final String script;

  private HtmlPage(UnaryOperator<String> masked, String script) {
    this.masked = masked;
    this.script = script;
  }

  /** Begins a page without a script. */
  public static HtmlPage plain(String title) {
    HtmlPage page = new HtmlPage(UnaryOperator.identity(), null);
    page.head(title, "");
    return page;
  }

  /**
   * Begins a page whose script runs when all of it is there.
   *
   * @param masked what a text becomes before it is written
   * @param style what it has beside that of every page
   * @param script without an end tag in it
   */
  static HtmlPage scripted(
      String title, UnaryOperator<String> masked, String style, String script) {
    HtmlPage page = new HtmlPage(masked, script);
    page.head(title, style);
    return page;
  }

  private void head(String title, String style) {
    String scripts = script == null ? "" : "; script-src 'sha256-%s'".formatted(sha256(script));
    html.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.append(GENERATOR).append(escaped(AnnealVersion.anneal())).append("\">\n");
    html.append(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'%s\">\n"
            .formatted(scripts));
    html.append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    line("title", null, title);
    html.append("<style>\n").append(STYLE).append(style).append("</style>\n</head>\n<body>\n");
  }

  /** Begins an element. */
  public void open(String tag, String style) {
    html.append('<').append(tag);
    if (style != null) {
      html.append(" class=\"").append(style).append('"');
    }
    html.append(">\n");
  }

  /** Ends an element. */
  public void close(String tag) {
    html.append("</").append(tag).append(">\n");
  }

  /**
   * An element that holds a text alone.
   *
   * @param style its class; {@code null} for none
   */
  public void line(String tag, String style, String text) {
    html.append('<').append(tag);
    if (style != null) {
      html.append(" class=\"").append(style).append("\" dir=\"auto\"");
    }
    html.append('>').append(shown(text)).append("</").append(tag).append(">\n");
  }

  /** A line of a list of names and values. */
  public void term(String name, String value) {
    line("dt", null, name);
    line("dd", null, value);
  }

  /** One of several texts side by side, under its name. */
  public void column(String name, String text) {
    open("section", null);
    line("div", "quiet", name);
    line("div", "text", text);
    close("section");
  }

  /** A table, which scrolls by itself where it is wider than the page. */
  public void table(List<String> head, List<List<String>> lines) {
    table(null, head, lines);
  }

  void table(String style, List<String> head, List<List<String>> lines) {
    open("div", "scroll");
    open("table", style);
    html.append("<thead><tr>");
    head.forEach(name -> cell("th scope=\"col\"", name));
    html.append("</tr></thead>\n<tbody>\n");
    for (List<String> line : lines) {
      html.append("<tr>");
      line.forEach(text -> cell("td", text));
      html.append("</tr>\n");
    }
    html.append("</tbody>\n</table></div>\n");
  }

  private void cell(String tag, String text) {
    String name = tag.split(" ", 2)[0];
    html.append("<%s>%s</%s>".formatted(tag, shown(text), name));
  }

  /**
   * A bar of a diagram that lies.
   *
   * @param share of the longest, 0 to 1
   */
  void bar(double share) {
    html.append("<span class=\"bar\" style=\"width:%s%%\"></span>\n".formatted(percent(share)));
  }

  private static long percent(double share) {
    return Math.round(100 * Math.min(1, Math.max(0, share)));
  }

  /** Where the script draws. */
  void charts() {
    html.append(
        "<div id=\"charts\"><noscript>Curves need a browser that runs scripts.</noscript></div>\n");
  }

  /** JSON for the script, under an id. Whatever it holds, it does not end its element. */
  void data(String id, String json) {
    String safe = json.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026");
    html.append("<script type=\"application/json\" id=\"%s\">".formatted(id))
        .append(safe)
        .append("</script>\n");
  }

  String masked(String text) {
    return masked.apply(text);
  }

  /** Ends the page. */
  public byte[] bytes() {
    if (script != null) {
      html.append("<script>").append(script).append("</script>\n");
    }
    html.append("</body>\n</html>\n");
    return html.toString().getBytes(UTF_8);
  }

  private String shown(String text) {
    return escaped(masked.apply(text));
  }

  /** What stands for the text in elements and in quoted values; HTML has no control characters. */
  public static String escaped(String text) {
    StringBuilder escaped = new StringBuilder();
    text.codePoints()
        .forEach(
            c -> {
              switch (c) {
                case '&' -> escaped.append("&amp;");
                case '<' -> escaped.append("&lt;");
                case '>' -> escaped.append("&gt;");
                case '"' -> escaped.append("&quot;");
                case '\'' -> escaped.append("&#39;");
                case '\n', '\t' -> escaped.appendCodePoint(c);
                // a carriage return as it stands would be read as another character
                case '\r' -> escaped.append("&#13;");
                default -> {
                  boolean none =
                      Character.isISOControl(c) || Character.getType(c) == Character.SURROGATE;
                  escaped.appendCodePoint(none ? 0xFFFD : c);
                }
              }
            });
    return escaped.toString();
  }

  private static String sha256(String script) {
    return Base64.getEncoder().encodeToString(Sha256.digest().digest(script.getBytes(UTF_8)));
  }
}
