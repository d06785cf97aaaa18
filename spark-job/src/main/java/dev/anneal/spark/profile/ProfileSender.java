package dev.anneal.spark.profile;

import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.storage.StoreRefusal;
import dev.anneal.training.io.OutputFolder;
import dev.anneal.training.timing.Profile;
import dev.anneal.training.timing.Profile.ProfiledSpan;
import java.io.OutputStream;
import java.time.Duration;
import java.util.function.Consumer;

/**
 * Writes a rank's profile beside the training and tells the driver of it. What goes wrong in it is
 * told as well, and ends nothing.
 */
public final class ProfileSender {
  private static final Duration LONGEST = Duration.ofMinutes(1);

  private final int rank;
  private final String host;
  private final int steps;
  private final OutputFolder folder;
  private final Consumer<RankEvent> driver;
  private Thread writer;

  /**
   * @param steps that are asked for
   * @param folder of the attempt's parts
   * @param driver told of the part
   */
  public ProfileSender(
      int rank, String host, int steps, OutputFolder folder, Consumer<RankEvent> driver) {
    this.rank = rank;
    this.host = host;
    this.steps = steps;
    this.folder = folder;
    this.driver = driver;
  }

  /** Where the parts of an attempt are, in its folder. */
  public static String folderName() {
    return ProfilePart.FOLDER;
  }

  /** How many steps are asked for. */
  public int steps() {
    return steps;
  }

  /** Writes it, in a thread of its own. */
  public void send(Profile profile) {
    writer = new Thread(() -> write(profile), "profile of rank " + rank);
    writer.setDaemon(true);
    writer.start();
  }

  /** Returns when the part is written; a rank that waits for a store that is away gives it up. */
  public void await() {
    if (writer == null) {
      return;
    }
    try {
      writer.join(LONGEST.toMillis());
      if (writer.isAlive()) {
        lost("its part is not written after %s s".formatted(LONGEST.toSeconds()));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void write(Profile profile) {
    try {
      try (OutputStream out = folder.create(ProfilePart.fileName(rank))) {
        ProfilePart.write(profile, out);
      }
      driver.accept(
          new RankEvent.Profiled(
              rank,
              host,
              profile.firstStep(),
              profile.lastStep(),
              profile.spans().stream().mapToLong(ProfiledSpan::beginNanos).min().orElse(0),
              profile.spans().size(),
              profile.isCut()));
    } catch (Exception | OutOfMemoryError e) {
      // whatever it is, the training goes on
      lost(StoreRefusal.sentence(e).orElseGet(e::toString));
    }
  }

  private void lost(String why) {
    try {
      driver.accept(new RankEvent.ProfileLost(rank, why));
    } catch (RuntimeException unheard) {
      // the driver does without
    }
  }
}
