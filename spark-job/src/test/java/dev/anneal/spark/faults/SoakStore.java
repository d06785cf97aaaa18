package dev.anneal.spark.faults;

import dev.anneal.spark.s3.FaultyStore;
import dev.anneal.spark.s3.S3Server;
import dev.anneal.spark.s3.StoreRequest;
import dev.anneal.spark.s3.StoreRequest.Fate;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** An object store, which tells what it is asked to keep. */
final class SoakStore implements SoakPlace {
  static final String ACCESS_KEY = "anyone";

  private static final Pattern MANIFEST = Pattern.compile("checkpoints/step-(\\d+)/manifest.json");
  private static final Pattern PART = Pattern.compile("checkpoints/step-(\\d+)/([^/]+)/rank-.*");

  private final S3Server server;
  private final StoreOutput output;
  private final Map<Integer, String> attempts = new HashMap<>();
  private Checkpoint last = new Checkpoint(0, "");

  /**
   * @param folder for what it keeps
   * @param address where the cluster finds it
   */
  SoakStore(Path folder, InetAddress address) throws Exception {
    server = S3Server.start(folder);
    output = new StoreOutput(FaultyStore.before(server, address), server, "soak", ACCESS_KEY);
  }

  FaultyStore store() {
    return output.store();
  }

  @Override
  public StoreOutput output() {
    return output;
  }

  @Override
  public List<String> options() {
    return List.of(output.options());
  }

  @Override
  public Checkpoint lastCheckpoint() {
    for (StoreRequest request : store().takeRequests()) {
      if (request.method().equals("PUT") && request.fate() == Fate.PASSED) {
        note(request.key());
      }
    }
    return last;
  }

  private void note(String written) {
    Matcher part = PART.matcher(written);
    Matcher manifest = MANIFEST.matcher(written);
    if (part.find()) {
      attempts.put(Integer.parseInt(part.group(1)), part.group(2));
    } else if (manifest.find()) {
      int step = Integer.parseInt(manifest.group(1));
      String attempt = attempts.get(step);
      // one of an unknown attempt is not that of a new one
      if (attempt != null && step > last.step()) {
        last = new Checkpoint(step, attempt);
      }
    }
  }

  @Override
  public RunOutput result(Path folder) throws IOException {
    return output.copyTo(folder);
  }

  @Override
  public void close() throws Exception {
    store().close();
    server.close();
  }
}
