package dev.anneal.spark.preflight;

import dev.anneal.data.source.SourceFiles;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Request;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.fs.Path;

/** Whether everything that a run reads lies outside of what it removes from its output folder. */
final class InputsCheck {
  private final RunFolder folder;
  private final Storage storage;
  private final List<String> removed = new ArrayList<>();

  private InputsCheck(Request request, RunFolder folder) throws IOException {
    this.folder = folder;
    this.storage = folder.storage();
    for (String name : RunFolder.filesMade()) {
      removed.add(canonical(folder.child(name)));
    }
    for (String name : RunFolder.foldersMadeBy(request.command())) {
      removed.add(canonical(folder.child(name)));
    }
  }

  static void checkKept(Request request, RunFolder folder) {
    try {
      new InputsCheck(request, folder).check(request);
    } catch (IOException e) {
      throw new BadRequestException(
          "What output.path %s would replace cannot be told (%s): choose a folder that this user can reach."
              .formatted(folder.display(), e.getMessage()),
          e);
    }
  }

  private void check(Request request) throws IOException {
    AnnealConfig config = request.config();
    String path = config.model().path();
    ModelLocation model = path == null ? null : ModelLocation.of(path);
    if (model instanceof ModelLocation.Folder weights) {
      check("model.path", weights.location());
    } else if (model instanceof ModelLocation.RandomFile shape) {
      check("model.path", shape.location());
    }
    check("model.tokenizer", config.model().tokenizer());
    check("lora.init_from", config.lora().initFrom());
    if (request.command().prepares()) {
      check("data.template", config.data().rows().template());
    }
    if (request.command().prepares() && SourceFiles.areInPlace(config.data().rows().source())) {
      checkSource("data.source", config.data().rows().source());
    }
    String evalSource = config.data().evalRows().evalSource();
    if (request.command().prepares() && evalSource != null && SourceFiles.areInPlace(evalSource)) {
      checkSource("data.eval_source", evalSource);
    }
  }

  private void checkSource(String key, String source) {
    try {
      check(key, source);
      for (Storage.FileInfo file : storage.list(source)) {
        check(key, file.uri());
      }
    } catch (IOException e) {
      throw new BadRequestException(key + ": " + Storage.cannotRead(source, e), e);
    }
  }

  private void check(String key, String location) throws IOException {
    if (location == null) {
      return;
    }
    String place = canonical(location);
    for (String gone : removed) {
      if (place.equals(gone) || place.startsWith(gone + "/")) {
        throw new BadRequestException(
            "%s %s lies where the run writes its results and would be removed: choose another output.path than %s."
                .formatted(key, RunFolder.display(location), folder.display()));
      }
    }
  }

  /** The one name of a place, whatever links lead to it. */
  private String canonical(String location) throws IOException {
    Path path = new Path(storage.qualify(location));
    String local = path.toUri().getPath();
    return "file".equals(path.toUri().getScheme())
        ? "file:" + new File(local).getCanonicalPath()
        : path.toString();
  }
}
