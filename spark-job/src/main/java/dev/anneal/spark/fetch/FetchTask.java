package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubClient;
import dev.anneal.data.hub.HubDigest;
import dev.anneal.data.hub.HubEnvironment;
import dev.anneal.data.hub.HubFile;
import dev.anneal.data.hub.HubRepository;
import dev.anneal.storage.MultipartUpload;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.Serializable;

/**
 * Moves bytes from the hub to an object store, on an executor and through its memory alone. It
 * travels there with the token, as the store's credentials do.
 */
record FetchTask(
    HubEnvironment hub,
    FetchSettings settings,
    HubRepository repository,
    String commit,
    FetchTarget target)
    implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final int CHUNK_BYTES = 1 << 20;

  FetchWork.Outcome run(FetchWork work) throws IOException {
    if (work instanceof FetchWork.Upload upload) {
      return upload(upload);
    }
    return work instanceof FetchWork.Verify ? verify(work.file()) : copy(work.file());
  }

  private FetchWork.Outcome upload(FetchWork.Upload work) throws IOException {
    HubFile file = work.file();
    long start = work.start(work.first());
    long end = work.end(work.first() + work.parts() - 1);
    try (MultipartUpload upload = MultipartUpload.of(target.storage(), target.child(file.path()))) {
      PartSender sender = new PartSender(upload, work);
      HubClient client = client();
      client.reader(repository, commit, file).read(start, end, sender::write);
      String sha256 =
          file.sha256() == null ? client.known(repository, commit, file).sha256() : null;
      return new FetchWork.Outcome(file.path(), sender.finish(), end - start, true, sha256);
    } catch (IOException e) {
      if (StoreFetch.isGone(e)) {
        return new FetchWork.Outcome(file.path(), 0, false);
      }
      throw e;
    }
  }

  private HubClient client() {
    return new HubClient(hub, settings.patience());
  }

  private FetchWork.Outcome verify(HubFile file) throws IOException {
    HubDigest digest = new HubDigest(file);
    byte[] chunk = new byte[CHUNK_BYTES];
    try (InputStream in = target.storage().open(target.child(file.path()))) {
      for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
        digest.update(chunk, 0, read);
      }
    }
    return new FetchWork.Outcome(file.path(), 0, digest.matches());
  }

  private FetchWork.Outcome copy(HubFile file) throws IOException {
    HubClient client = client();
    target.storage().write(target.child(file.path()), out -> copy(client, file, out));
    return new FetchWork.Outcome(file.path(), file.bytes(), true);
  }

  private void copy(HubClient client, HubFile file, OutputStream out) throws IOException {
    HubDigest[] digest = {null};
    client
        .reader(repository, commit, file)
        .read(
            0,
            file.bytes(),
            (bytes, length, position) -> {
              if (digest[0] == null) {
                // with the first bytes comes the checksum that a listing may lack
                digest[0] = new HubDigest(client.known(repository, commit, file));
              }
              digest[0].update(bytes, 0, length);
              out.write(bytes, 0, length);
            });
    (digest[0] == null ? new HubDigest(file) : digest[0]).requireMatch();
  }
}
