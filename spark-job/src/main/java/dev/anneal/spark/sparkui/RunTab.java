package dev.anneal.spark.sparkui;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.spark.report.HtmlPage;
import dev.anneal.spark.report.RunReport;
import dev.anneal.spark.report.RunSnapshot;
import dev.anneal.spark.report.RunView;
import java.lang.reflect.Method;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.apache.spark.ui.SparkUI;
import org.apache.spark.ui.SparkUITab;
import org.apache.spark.ui.UIUtils;
import org.apache.spark.ui.WebUITab;
import scala.Function0;
import scala.Option;
import scala.collection.Iterator;
import scala.xml.Node;
import scala.xml.Unparsed;

/**
 * The tab: Spark's header above a frame that holds the page of the runs. It is made when somebody
 * asks for it, and not more often than it is worth: it costs the driver.
 */
final class RunTab extends SparkUITab {
  /** As many as the page has colors. */
  static final int MOST_RUNS = 8;

  private static final String PREFIX = "anneal";
  private static final String FRAME_STYLE = "width:100%;height:calc(100vh - 9rem);border:0";
  private static final Duration FRESH = Duration.ofSeconds(5);
  private static final int PAUSE_PER_PAGE = 20;

  private final String place;
  private final Supplier<Collection<String>> snapshots;
  private byte[] page;
  private long freshUntil;

  private RunTab(SparkUI ui, Supplier<Collection<String>> snapshots) {
    super(ui, PREFIX);
    this.place = ui.basePath() + "/" + PREFIX + "/report";
    this.snapshots = snapshots;
  }

  /**
   * Puts it among the tabs, in the place of an earlier one.
   *
   * @param snapshots of the runs, the first first; the last ones are shown
   */
  static RunTab attach(SparkUI ui, Supplier<Collection<String>> snapshots) {
    RunTab tab = new RunTab(ui, snapshots);
    of(ui)
        .ifPresent(
            earlier -> {
              ui.detachHandler(tab.place);
              ui.detachTab(earlier);
            });
    tab.attachPage(new RunPages.Framed(tab));
    ui.attachTab(tab);
    // with the filters and the access control that all of Spark's pages have
    ui.attachHandler(tab.place, new RunPages.Report(tab), "/*");
    return tab;
  }

  /** The tab of this name that is there, which code of another class loader may have put there. */
  static Optional<WebUITab> of(SparkUI ui) {
    for (Iterator<WebUITab> all = ui.getTabs().iterator(); all.hasNext(); ) {
      WebUITab tab = all.next();
      if (tab.prefix().equals(PREFIX)) {
        return Optional.of(tab);
      }
    }
    return Optional.empty();
  }

  Supplier<Collection<String>> snapshots() {
    return snapshots;
  }

  /** What the frame shows. */
  synchronized byte[] report() {
    long now = System.nanoTime();
    if (page == null || now - freshUntil > 0) {
      page = made(snapshots.get());
      long end = System.nanoTime();
      freshUntil = end + Math.max(FRESH.toNanos(), PAUSE_PER_PAGE * (end - now));
    }
    return page;
  }

  /** There is something to show that must not wait. */
  synchronized void renew() {
    page = null;
  }

  private static byte[] made(Collection<String> snapshots) {
    List<RunView> runs = new ArrayList<>();
    try {
      snapshots.stream()
          .skip(Math.max(0, snapshots.size() - MOST_RUNS))
          .forEach(snapshot -> runs.add(RunSnapshot.read(snapshot)));
    } catch (InvalidDataException e) {
      return sentence(
          "These runs are not shown: "
              + e.getMessage()
              + ". Give Spark's History Server the jar of the version that they ran with.");
    }
    return runs.isEmpty()
        ? sentence("There is no run.")
        // their texts are masked
        : RunReport.page(runs, UnaryOperator.identity());
  }

  private static byte[] sentence(String text) {
    HtmlPage page = HtmlPage.plain("Anneal");
    page.line("p", null, text);
    return page.bytes();
  }

  /**
   * Spark's header and the frame.
   *
   * @param request a servlet request of the kind that this Spark has
   * @param source where the frame's page is
   */
  Node framed(Object request, String source) {
    Node frame =
        new Unparsed(
            "<iframe title=\"Anneal\" src=\"%s\" style=\"%s\"></iframe>"
                .formatted(HtmlPage.escaped(source), FRAME_STYLE));
    Function0<Node> content = () -> frame;
    // its last parameters, which are all optional, differ between Spark's lines
    Method header =
        Arrays.stream(UIUtils.class.getMethods())
            .filter(method -> method.getName().equals("headerSparkPage"))
            .findFirst()
            .orElseThrow();
    Object[] arguments = new Object[header.getParameterCount()];
    Arrays.fill(arguments, false);
    List<Object> first = List.of(request, name(), content, this, Option.empty());
    for (int i = 0; i < first.size(); i++) {
      arguments[i] = first.get(i);
    }
    try {
      return (Node) ((scala.collection.Seq<?>) header.invoke(null, arguments)).apply(0);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("this Spark has another header", e);
    }
  }

  String place() {
    return place;
  }
}
