package dev.anneal.spark.evaluate;

import dev.anneal.spark.AnnealVersion;
import dev.anneal.spark.evaluate.EvaluationResult.Answered;
import dev.anneal.spark.report.HtmlPage;
import java.util.Locale;

/** {@code evaluation.html}: losses and answers in one file that asks nothing of anybody. */
final class EvaluationPage {
  private static final int MOST_SOURCES = 1000;

  private final HtmlPage page = HtmlPage.plain("Evaluation");

  private EvaluationPage() {}

  /** The file's content. */
  static byte[] of(EvaluationResult result, EvaluationInputs inputs) {
    EvaluationPage evaluation = new EvaluationPage();
    evaluation.page.line("h1", null, "Evaluation");
    evaluation.inputs(inputs);
    evaluation.table(EvaluationTable.of(result, MOST_SOURCES));
    if (result.rowsWithoutTargets() > 0) {
      evaluation.page.line(
          "p",
          "quiet",
          "%s rows hold no learned token and have no loss.".formatted(result.rowsWithoutTargets()));
    }
    result.answers().forEach(evaluation::answered);
    return evaluation.page.bytes();
  }

  private void inputs(EvaluationInputs inputs) {
    page.open("dl", null);
    page.term("Model", inputs.modelName());
    if (inputs.adapterName() != null) {
      page.term("Adapter", inputs.adapterName());
    }
    String split = inputs.rows().split().name().toLowerCase(Locale.ROOT);
    page.term(
        "Rows",
        inputs.request().dataset() == null
            ? inputs.dataName()
            : "%s, split %s".formatted(inputs.dataName(), split));
    page.term("Made by", "Anneal " + AnnealVersion.anneal());
    page.close("dl");
  }

  private void table(EvaluationTable table) {
    page.table(table.head(), table.lines());
    if (table.untold() > 0) {
      page.line("p", "quiet", "And %s more sources.".formatted(table.untold()));
    }
  }

  private void answered(Answered row) {
    page.open("article", null);
    String from = row.source().isEmpty() ? "" : ", from " + row.source();
    page.line("h2", null, "Row %s%s".formatted(row.row() + 1, from));
    page.line("div", "text prompt", row.prompt());
    page.open("div", "side");
    page.column("Reference", row.reference());
    page.column(row.adapted() == null ? "Model" : "Base model", row.base());
    if (row.adapted() != null) {
      page.column("With the adapter", row.adapted());
    }
    page.close("div");
    page.close("article");
  }
}
