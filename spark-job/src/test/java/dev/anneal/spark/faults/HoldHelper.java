package dev.anneal.spark.faults;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What Byteman's rules call: holds a thread where it is. Files tell the test of it and let the
 * thread go.
 */
public class HoldHelper {
  private static final AtomicInteger CALLS = new AtomicInteger();
  private static final int PAUSE_MILLIS = 20;

  /** Whether a thread whose name begins so has come by for the {@code time}-th time. */
  public boolean comes(String thread, int time) {
    return Thread.currentThread().getName().startsWith(thread) && CALLS.incrementAndGet() == time;
  }

  /** Holds this thread if it is the first of all processes that comes to {@code folder}. */
  public void hold(String folder) throws IOException, InterruptedException {
    Path held = Path.of(folder, Held.NEWS);
    try {
      Files.createFile(held);
    } catch (FileAlreadyExistsException e) {
      return;
    }
    Files.writeString(held, Long.toString(ProcessHandle.current().pid()));
    while (!Files.exists(Path.of(folder, Held.RELEASE))) {
      Thread.sleep(PAUSE_MILLIS);
    }
    Files.createFile(Path.of(folder, Held.GONE_ON));
  }
}
