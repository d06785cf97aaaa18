package dev.anneal.spark.tracking.mlflow;

import dev.anneal.spark.storage.RunFolder;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;

/**
 * The files of an MLflow run: through the tracking server where it takes them ({@code
 * mlflow-artifacts:}), else straight to where they are to lie, by Hadoop's file systems.
 */
final class Artifacts {
  private static final String THROUGH_SERVER = "mlflow-artifacts";

  /** Databricks gives access to its own place by credentials for each file, which are not asked. */
  private static final Set<String> NOT_OURS = Set.of("dbfs", "runs", "models", "http", "https");

  private final MlflowServer server;
  private final URI root;
  private final RunFolder folder;

  /**
   * @param root artifact URI of the run
   * @param folder whose files are uploaded
   */
  Artifacts(MlflowServer server, String root, RunFolder folder) throws IOException {
    this.server = server;
    this.folder = folder;
    try {
      this.root = URI.create(root);
    } catch (IllegalArgumentException e) {
      throw new IOException("its artifact URI %s is none".formatted(root), e);
    }
  }

  /** Whether there is a way to write at an artifact URI, as far as its scheme tells. */
  static boolean canBeWritten(String root) {
    return NOT_OURS.stream().noneMatch(scheme -> root.startsWith(scheme + ":"));
  }

  /**
   * Uploads a folder.
   *
   * @param name of the folder, here as there
   */
  void upload(String name, Consumer<String> say) throws IOException, InterruptedException {
    List<Storage.FileInfo> files = folder.storage().list(folder.child(name) + "/*");
    say.accept("Uploading %s files to MLflow ...".formatted(files.size()));
    for (Storage.FileInfo file : files) {
      String fileName = file.uri().substring(file.uri().lastIndexOf('/') + 1);
      upload(file, name + "/" + fileName);
    }
  }

  private void upload(Storage.FileInfo file, String name) throws IOException, InterruptedException {
    String scheme = root.getScheme() == null ? "file" : root.getScheme();
    if (scheme.equals(THROUGH_SERVER)) {
      if (root.getHost() != null && !Objects.equals(root.getHost(), server.root().getHost())) {
        // the credentials are the tracking server's
        throw new IOException("its artifacts are kept by another server, " + root.getHost());
      }
      server.upload(
          root.getPath().replaceFirst("^/+", "") + "/" + name, file.bytes(), () -> open(file));
    } else if (NOT_OURS.contains(scheme)) {
      throw new IOException("artifacts at %s: cannot be written from here".formatted(root));
    } else {
      String place =
          scheme.equals("s3") ? root.toString().replaceFirst("^s3:", "s3a:") : root.toString();
      String target = root.getScheme() == null ? "file:" + place : place;
      folder
          .storage()
          .write(
              target + "/" + name,
              out -> {
                try (InputStream in = folder.storage().open(file.uri())) {
                  in.transferTo(out);
                }
              });
    }
  }

  private InputStream open(Storage.FileInfo file) {
    try {
      return folder.storage().open(file.uri());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
