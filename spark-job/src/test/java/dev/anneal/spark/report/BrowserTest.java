package dev.anneal.spark.report;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The page in a headless Chromium, where there is one: Debian's {@code chromium-headless-shell} or
 * {@code chromium}, on the path or named by {@code ANNEAL_BROWSER}. Pictures of it, for people to
 * look at, go to the folder that {@code ANNEAL_PICTURES} names.
 */
@Timeout(120)
class BrowserTest {
  private static final List<String> NAMES =
      List.of("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome");

  @TempDir Path dir;
  private String browser;

  @BeforeEach
  void findABrowser() {
    Optional<String> found =
        Stream.concat(
                Stream.ofNullable(System.getenv("ANNEAL_BROWSER")),
                Stream.of(System.getenv("PATH").split(File.pathSeparator, -1))
                    .flatMap(folder -> NAMES.stream().map(name -> folder + "/" + name)))
            .filter(file -> Files.isExecutable(Path.of(file)))
            .findFirst();
    assumeThat(found).as("a headless browser").isPresent();
    browser = found.get();
  }

  @Test
  void drawsAllCurvesOfARun() throws Exception {
    String dom = opened(1280, WrittenRun.in(dir.resolve("run")).metrics(40));
    assertThat(dom).contains("data-drawn=\"5\"");
    assertThat(count(dom, "<path d=\"M[^\"]+\" class=\"curve raw r0\"")).isEqualTo(3);
    assertThat(count(dom, "<path d=\"M[^\"]+\" class=\"curve smooth r0\"")).isEqualTo(5);
    assertThat(count(dom, "<circle ")).as("held-out losses").isEqualTo(2);
    assertThat(count(dom, "class=\"checkpoint\"")).isEqualTo(4);
    assertThat(count(dom, "<line [^>]*class=\"restart\""))
        .as("of 2 restarts, 5 times")
        .isEqualTo(10);
    assertThat(points(dom, "curve raw r0")).as("a line without a gap").isEqualTo(40);
  }

  @Test
  void drawsSeveralRunsOverEachOther() throws Exception {
    String dom =
        opened(
            1280,
            WrittenRun.in(dir.resolve("one")).metrics(40),
            WrittenRun.in(dir.resolve("two")).metrics(30));
    assertThat(count(dom, "class=\"curve smooth r0\"")).isEqualTo(5);
    assertThat(count(dom, "class=\"curve smooth r1\"")).isEqualTo(5);
    assertThat(count(dom, "<button aria-pressed=\"true\"")).isEqualTo(2);
  }

  @Test
  void readsOffValuesAndHidesRuns() throws Exception {
    write(
        WrittenRun.in(dir.resolve("one")).metrics(40),
        WrittenRun.in(dir.resolve("two")).metrics(30));
    // the page's own policy lets no other script run
    String html = Files.readString(page()).replaceFirst("<meta http-equiv[^>]*>", "");
    String hand =
        """
        <script>
        const say = (key, value) => document.documentElement.setAttribute('data-' + key, value);
        const svg = () => document.querySelector('svg');
        const box = svg().getBoundingClientRect();
        const says = () => document.querySelector('.says').textContent;
        svg().dispatchEvent(new PointerEvent('pointermove', {clientX: box.right - 1, clientY: box.top + 50}));
        say('last', says());
        svg().dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + 1, clientY: box.top + 50}));
        say('first', says());
        svg().dispatchEvent(new PointerEvent('pointerleave'));
        say('left', says());
        document.querySelectorAll('.runs button')[0].click();
        say('hidden', document.querySelectorAll('.curve.r0').length);
        say('shown', document.querySelectorAll('.curve.r1').length);
        document.querySelector('figcaption input').click();
        say('log', [...svg().querySelectorAll('text.y')].map(t => t.textContent).join(' '));
        </script></body>
        """;
    Files.writeString(page(), html.replace("</body>", hand));
    String dom = opened(1280);
    assertThat(dom).contains("data-first=\"step 0 one held-out 2.5000 two held-out 2.5000\"");
    assertThat(dom).containsPattern("data-last=\"step 40 one 0\\.\\d{4} one held-out 0.4000\"");
    assertThat(dom).contains("data-left=\"\"", "data-hidden=\"0\"", "data-shown=\"9\"");
    assertThat(dom).contains("data-log=\"0.005 0.01 0.02 0.05 0.1 0.2 0.5 1 2\"");
  }

  @Test
  void fitsANarrowScreen() throws Exception {
    String dom = opened(500, WrittenRun.in(dir.resolve("run")).metrics(40));
    Matcher width = Pattern.compile("<svg width=\"(\\d+)\"").matcher(dom);
    List<Integer> widths = new ArrayList<>();
    while (width.find()) {
      widths.add(Integer.parseInt(width.group(1)));
    }
    assertThat(widths).hasSize(5).allMatch(w -> w <= 500 && w >= 240);
  }

  @Test
  void showsARunWithoutASingleStep() throws Exception {
    ObjectNode record = WrittenRun.JSON.createObjectNode().put("state", "failed");
    String dom = opened(1280, WrittenRun.in(dir.resolve("run")).record(record));
    assertThat(dom).contains("data-drawn=\"0\"");
    assertThat(count(dom, ">Nothing is measured yet")).isEqualTo(5);
  }

  @Test
  void runsNothingOfWhatDataBring() throws Exception {
    String evil =
        "</script><script>document.documentElement.dataset.evil='1'</script>"
            + "<img src=\"x\" onerror=\"document.documentElement.dataset.evil='1'\">";
    ObjectNode record = (ObjectNode) WrittenRun.JSON.readTree(WrittenRun.RECORD);
    ((ObjectNode) record.at("/samples/0")).put("prompt", evil).put("after", evil);
    ((ObjectNode) record.at("/attempts/0")).put("ended", evil);
    record.put("error", evil);
    String hostile = "x<script>document.documentElement.dataset.evil='1'<";
    String dom =
        opened(
            1280,
            WrittenRun.in(dir.resolve(hostile)).record(record).metrics(5),
            WrittenRun.in(dir.resolve("b")).record(record).metrics(5));
    assertThat(dom).contains("data-drawn=\"5\"").doesNotContain("data-evil").doesNotContain("<img");
  }

  @Test
  void isDarkWhereTheReaderIs() throws Exception {
    write(
        WrittenRun.in(dir.resolve("one")).metrics(40),
        WrittenRun.in(dir.resolve("two")).metrics(30));
    picture("two-runs", 1280, 1400);
    write(WrittenRun.in(dir.resolve("run")).metrics(40));
    picture("narrow", 500, 3000);
    assertThat(picture("wide", 1280, 3200)).as("light and dark").doesNotHaveDuplicates();
  }

  /** Takes the page in light and in dark; what the two files hold. */
  private List<String> picture(String name, int width, int height) throws Exception {
    String wanted = System.getenv("ANNEAL_PICTURES");
    Path folder = Files.createDirectories(wanted == null ? dir : Path.of(wanted));
    List<String> bytes = new ArrayList<>();
    for (String scheme : List.of("dark", "light")) {
      Path file = folder.resolve("report-%s-%s.png".formatted(name, scheme));
      browse(
          dir.resolve("dom"),
          "--window-size=%s,%s".formatted(width, height),
          "--blink-settings=preferredColorScheme=" + bytes.size(),
          "--screenshot=" + file);
      assertThat(file).as(this::err).isNotEmptyFile();
      bytes.add(HexFormat.of().formatHex(Files.readAllBytes(file)));
    }
    return bytes;
  }

  /** The document when the script is done. */
  private String opened(int width, WrittenRun... runs) throws Exception {
    if (runs.length > 0) {
      write(runs);
    }
    Path dom = dir.resolve("dom");
    browse(dom, "--window-size=" + width + ",900", "--dump-dom");
    String text = new String(Files.readAllBytes(dom), UTF_8);
    assertThat(text).as(this::err).contains("</html>");
    return text;
  }

  private void browse(Path out, String... options) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--user-data-dir=" + dir.resolve("profile"),
                "--virtual-time-budget=2000"));
    command.addAll(List.of(options));
    command.add(page().toUri().toString());
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(out.toFile())
            .redirectError(dir.resolve("err").toFile())
            .start();
    try {
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("it ends").isTrue();
    } finally {
      process.destroyForcibly();
    }
  }

  private void write(WrittenRun... runs) {
    RunReport.write(
        Stream.of(runs).map(run -> run.path().toString()).toList(),
        page().toString(),
        new Configuration(),
        text -> text);
  }

  private Path page() {
    return dir.resolve("page.html");
  }

  private String err() {
    try {
      return Files.readString(dir.resolve("err"));
    } catch (IOException e) {
      return e.toString();
    }
  }

  private static long count(String dom, String regex) {
    return Pattern.compile(regex).matcher(dom).results().count();
  }

  /** Points of a line that begins once. */
  private static long points(String dom, String style) {
    Matcher line = Pattern.compile("<path d=\"(M[^\"]+)\" class=\"" + style + "\"").matcher(dom);
    assertThat(line.find()).isTrue();
    assertThat(count(line.group(1), "M")).isEqualTo(1);
    return count(line.group(1), "[ML]");
  }
}
