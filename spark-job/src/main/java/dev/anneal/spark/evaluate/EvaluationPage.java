package dev.anneal.spark.evaluate;

import dev.anneal.spark.AnnealVersion;
import dev.anneal.spark.evaluate.EvaluationResult.Answered;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;

/**
 * {@code evaluation.html}: losses and answers in one file that asks nothing of anybody. Rows are
 * foreign text, so everything in it is escaped, and its policy lets no script run and nothing load.
 */
final class EvaluationPage {
  private static final int MOST_SOURCES = 1000;

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

  private EvaluationPage() {}

  /** The file's content. */
  static byte[] of(EvaluationResult result, EvaluationInputs inputs) {
    EvaluationPage page = new EvaluationPage();
    page.head();
    page.inputs(inputs);
    page.table(EvaluationTable.of(result, MOST_SOURCES));
    if (result.rowsWithoutTargets() > 0) {
      page.line(
          "p",
          "quiet",
          "%s rows hold no learned token and have no loss.".formatted(result.rowsWithoutTargets()));
    }
    result.answers().forEach(page::answered);
    page.html.append("</body>\n</html>\n");
    return page.html.toString().getBytes(StandardCharsets.UTF_8);
  }

  private void head() {
    html.append(
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Evaluation</title>
        <style>
        """);
    html.append(STYLE).append("</style>\n</head>\n<body>\n<h1>Evaluation</h1>\n");
  }

  private void inputs(EvaluationInputs inputs) {
    html.append("<dl>\n");
    term("Model", inputs.modelName());
    if (inputs.adapterName() != null) {
      term("Adapter", inputs.adapterName());
    }
    String split = inputs.rows().split().name().toLowerCase(Locale.ROOT);
    term(
        "Rows",
        inputs.request().dataset() == null
            ? inputs.dataName()
            : "%s, split %s".formatted(inputs.dataName(), split));
    term("Made by", "Anneal " + AnnealVersion.anneal());
    html.append("</dl>\n");
  }

  private void term(String name, String value) {
    line("dt", null, name);
    line("dd", null, value);
  }

  private void table(EvaluationTable table) {
    html.append("<div class=\"scroll\"><table>\n<thead><tr>");
    table.head().forEach(name -> cell("th scope=\"col\"", name));
    html.append("</tr></thead>\n<tbody>\n");
    for (List<String> line : table.lines()) {
      html.append("<tr>");
      line.forEach(text -> cell("td", text));
      html.append("</tr>\n");
    }
    html.append("</tbody>\n</table></div>\n");
    if (table.untold() > 0) {
      line("p", "quiet", "And %s more sources.".formatted(table.untold()));
    }
  }

  private void cell(String tag, String text) {
    String name = tag.split(" ", 2)[0];
    html.append("<%s>%s</%s>".formatted(tag, escaped(text), name));
  }

  private void answered(Answered row) {
    html.append("<article>\n");
    String from = row.source().isEmpty() ? "" : ", from " + row.source();
    line("h2", null, "Row %s%s".formatted(row.row() + 1, from));
    line("div", "text prompt", row.prompt());
    html.append("<div class=\"side\">\n");
    column("Reference", row.reference());
    column(row.adapted() == null ? "Model" : "Base model", row.base());
    if (row.adapted() != null) {
      column("With the adapter", row.adapted());
    }
    html.append("</div>\n</article>\n");
  }

  private void column(String name, String text) {
    html.append("<section>\n");
    line("div", "quiet", name);
    line("div", "text", text);
    html.append("</section>\n");
  }

  private void line(String tag, String style, String text) {
    html.append('<').append(tag);
    if (style != null) {
      html.append(" class=\"").append(style).append("\" dir=\"auto\"");
    }
    html.append('>').append(escaped(text)).append("</").append(tag).append(">\n");
  }

  /** What stands for the text in elements and in quoted values; HTML has no control characters. */
  static String escaped(String text) {
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
}
