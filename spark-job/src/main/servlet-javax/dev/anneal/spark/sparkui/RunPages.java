package dev.anneal.spark.sparkui;

import java.io.IOException;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.apache.spark.ui.UIUtils;
import org.apache.spark.ui.WebUIPage;
import scala.xml.Node;

/** What a browser asks the tab for. Spark's lines differ in the name of the servlet packages. */
final class RunPages {
  private RunPages() {}

  /** The page with Spark's header. */
  static final class Framed extends WebUIPage {
    private final RunTab tab;

    Framed(RunTab tab) {
      super("");
      this.tab = tab;
    }

    @Override
    public Node render(HttpServletRequest request) {
      return tab.framed(request, UIUtils.prependBaseUri(request, tab.place(), "/"));
    }
  }

  /** The page in its frame. */
  static final class Report extends HttpServlet {
    private static final long serialVersionUID = 1L;

    private final transient RunTab tab;

    Report(RunTab tab) {
      this.tab = tab;
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      response.setContentType("text/html; charset=utf-8");
      response.getOutputStream().write(tab.report());
    }
  }
}
