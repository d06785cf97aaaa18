package dev.anneal.spark.report;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.config.Locations;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.apache.hadoop.conf.Configuration;

/** Makes the page of runs from their files. */
public final class RunReport {
  /** How far the mark of our pages lies from their start, at most. */
  private static final int HEAD_BYTES = 512;

  private RunReport() {}

  /**
   * Reads runs, finished or under way, and writes their page.
   *
   * @param runs paths or URIs of their output folders
   * @param output path or URI of the file; {@code null}: {@code report.html}, in the folder of the
   *     run where it is one, else in the working directory
   * @param masked what every text becomes before it is written
   * @return where the page is
   * @throws BadRequestException if a run cannot be read, or something else has the page's name
   * @throws JobFailedException if the page cannot be written
   */
  public static String write(
      List<String> runs, String output, Configuration hadoop, UnaryOperator<String> masked) {
    if (runs.isEmpty()) {
      throw new BadRequestException("There is no run: name the output folder of one.");
    }
    Set<String> folders = new LinkedHashSet<>();
    runs.forEach(run -> folders.add(located(run)));
    List<RunView> views = folders.stream().map(run -> RunFiles.read(run, hadoop)).toList();
    String page = place(List.copyOf(folders), output, hadoop);
    Storage storage = new Storage(hadoop);
    requireOurs(page, storage);
    byte[] html = ReportPage.of(views, masked);
    try {
      storage.write(page, out -> out.write(html));
    } catch (IOException e) {
      throw new JobFailedException(
          "%s cannot be written (%s).".formatted(RunFolder.display(page), e.getMessage()), e);
    }
    return RunFolder.display(page);
  }

  /**
   * The page of runs.
   *
   * @param masked what every text becomes before it is written
   */
  public static byte[] page(List<RunView> runs, UnaryOperator<String> masked) {
    return ReportPage.of(runs, masked);
  }

  private static String place(List<String> runs, String output, Configuration hadoop) {
    if (output != null) {
      return located(output);
    }
    return runs.size() == 1
        ? new RunFolder(runs.get(0), hadoop).child(RunFolder.REPORT)
        : located(RunFolder.REPORT);
  }

  private static String located(String location) {
    return Locations.resolve(location, Path.of("")).replaceFirst("(?<=[^/:])/+$", "");
  }

  /** Whether a file that is there is a page of Anneal. */
  public static boolean isPage(String location, Storage storage) throws IOException {
    try (InputStream in = storage.open(location)) {
      return new String(in.readNBytes(HEAD_BYTES), UTF_8).contains(HtmlPage.GENERATOR);
    }
  }

  /** Nothing is replaced but an earlier page. */
  private static void requireOurs(String page, Storage storage) {
    try {
      if (!storage.exists(page)) {
        return;
      }
      if (isPage(page, storage)) {
        return;
      }
    } catch (IOException | IllegalArgumentException e) {
      throw new BadRequestException(
          "%s cannot be looked at (%s): name a file with --output."
              .formatted(RunFolder.display(page), e.getMessage()),
          e);
    }
    throw new BadRequestException(
        "%s is there and is no page of Anneal: name another file with --output."
            .formatted(RunFolder.display(page)));
  }
}
