package dev.anneal.data.prep;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.DatasetManifest.PartFile;
import dev.anneal.data.manifest.SourceFingerprint;
import dev.anneal.data.source.SourceFiles;
import dev.anneal.storage.Storage;
import dev.anneal.storage.Storage.FileInfo;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Whether the output folder holds what {@link PrepJob} would write there now. The date that a
 * template may write does not count: a run goes on with the one that it began with.
 *
 * @param manifest of the data set that can be used as it is
 * @param difference in one sentence, if there is none
 */
public record PreparedBefore(Optional<DatasetManifest> manifest, String difference) {

  /**
   * Looks for the data set of an earlier run. Sizes of its files are compared, not their content.
   *
   * @throws InvalidDataException if the source or the tokenizer cannot be read
   */
  public static PreparedBefore find(PrepSpec spec, Storage storage) {
    return find(
        spec,
        storage,
        manifest -> settings(spec, manifest),
        manifest -> tokenizer(spec, manifest, storage),
        manifest -> source(spec, manifest, storage),
        manifest -> files(spec, manifest, storage));
  }

  /** Likewise by the settings alone: nothing but the manifest is read. */
  public static PreparedBefore findBySettings(PrepSpec spec, Storage storage) {
    return find(spec, storage, manifest -> settings(spec, manifest));
  }

  private static PreparedBefore find(PrepSpec spec, Storage storage, Check... checks) {
    DatasetManifest manifest;
    try {
      manifest = DatasetManifest.read(spec.datasetUri(), storage);
    } catch (InvalidDataException e) {
      return new PreparedBefore(Optional.empty(), e.getMessage());
    }
    String difference =
        Stream.of(checks)
            .map(check -> check.difference(manifest))
            .flatMap(Optional::stream)
            .findFirst()
            .orElse(null);
    return new PreparedBefore(
        difference == null ? Optional.of(manifest) : Optional.empty(), difference);
  }

  private interface Check {
    Optional<String> difference(DatasetManifest manifest);
  }

  private static Optional<String> settings(PrepSpec spec, DatasetManifest manifest) {
    return spec.settings()
        .differenceFrom(manifest.spec())
        .map(what -> "The data set was prepared with other settings: " + what + ".");
  }

  private static Optional<String> tokenizer(
      PrepSpec spec, DatasetManifest manifest, Storage storage) {
    RowPreparer now = RowPreparer.load(spec, storage);
    try {
      if (!Objects.equals(now.tokenizerSha256(), manifest.tokenizerSha256())) {
        return Optional.of("The tokenizer has changed since the data set was prepared.");
      }
      return Objects.equals(now.templateSha256(), manifest.templateSha256())
          ? Optional.empty()
          : Optional.of("The chat template has changed since the data set was prepared.");
    } finally {
      now.close();
    }
  }

  private static Optional<String> source(PrepSpec spec, DatasetManifest manifest, Storage storage) {
    if (TableSource.isTable(spec.rows().source(), storage)) {
      // what it held when the run began counts
      return Optional.empty();
    }
    if (manifest.sourceFiles() == null) {
      return Optional.of(
          "Nothing tells whether data.source '%s' has changed since the data set was prepared."
              .formatted(spec.rows().source()));
    }
    List<FileInfo> files = SourceFiles.find(spec.rows().source(), spec.output(), storage);
    SourceFingerprint now = spec.fingerprint(files, storage);
    if (now.equals(manifest.sourceFiles())) {
      return Optional.empty();
    }
    SourceFingerprint before = manifest.sourceFiles();
    return Optional.of(
        "data.source '%s' has changed since the data set was prepared: it was %s files with %s bytes, and is %s with %s%s."
            .formatted(
                spec.rows().source(),
                before.files(),
                before.bytes(),
                now.files(),
                now.bytes(),
                now.bytes() == before.bytes() ? " but of other names or times" : ""));
  }

  private static Optional<String> files(PrepSpec spec, DatasetManifest manifest, Storage storage) {
    Map<String, Long> there;
    try {
      there =
          storage.list(spec.datasetUri()).stream()
              .collect(Collectors.toMap(PreparedBefore::name, FileInfo::bytes));
    } catch (IOException e) {
      throw new InvalidDataException(Storage.cannotRead(spec.datasetUri(), e), e);
    }
    return Stream.of(manifest.train(), manifest.eval())
        .flatMap(part -> part.files().stream())
        .filter(file -> !Objects.equals(there.get(file.name()), file.bytes()))
        .map(PartFile::name)
        .findFirst()
        .map("The file %s of the data set is missing or has another size."::formatted);
  }

  private static String name(FileInfo file) {
    return file.uri().substring(file.uri().lastIndexOf('/') + 1);
  }
}
