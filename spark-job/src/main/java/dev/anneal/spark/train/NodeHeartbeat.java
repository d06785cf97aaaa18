package dev.anneal.spark.train;

import dev.anneal.spark.progress.DriverCommand;
import dev.anneal.spark.progress.RankChannel;
import dev.anneal.spark.progress.RankEvent;
import java.time.Duration;

/**
 * What the driver wants of a node's ranks, asked about once a second. A node that the driver has
 * given up, or that has heard nothing of it for too long, is to leave: nobody waits for it.
 */
final class NodeHeartbeat implements AutoCloseable {
  private static final Duration PAUSE = Duration.ofSeconds(1);

  private final RankChannel channel;
  private final String executor;
  private final Duration patience;
  private final Thread thread;
  private volatile DriverCommand command = DriverCommand.GO_ON;

  /**
   * @param executor Spark's id of this process
   * @param patience how long the driver may be silent
   */
  NodeHeartbeat(RankChannel channel, String executor, Duration patience) {
    this.channel = channel;
    this.executor = executor;
    this.patience = patience;
    this.thread = new Thread(this::ask, "heartbeat");
    thread.setDaemon(true);
    thread.start();
  }

  boolean mustLeave() {
    return command == DriverCommand.LEAVE;
  }

  boolean stopRequested() {
    return command == DriverCommand.LEAVE_WITH_CHECKPOINT;
  }

  /** The process is told to end: its ranks take everybody along. */
  void endInGoodOrder() {
    obey(DriverCommand.LEAVE_WITH_CHECKPOINT);
  }

  private void ask() {
    long heard = System.nanoTime();
    try {
      while (command != DriverCommand.LEAVE) {
        try {
          obey(channel.deliver(new RankEvent.Alive(executor)));
          heard = System.nanoTime();
        } catch (IllegalStateException silent) {
          Duration silence = Duration.ofNanos(System.nanoTime() - heard);
          if (silence.compareTo(patience) > 0) {
            // a driver that only stood still finds it when it wakes
            channel.send(new RankEvent.DriverSilent(executor, silence.toSeconds()));
            obey(DriverCommand.LEAVE);
          }
        }
        Thread.sleep(PAUSE.toMillis());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** A command is never taken back. */
  private synchronized void obey(DriverCommand heard) {
    if (heard.compareTo(command) > 0) {
      command = heard;
    }
  }

  @Override
  public void close() {
    thread.interrupt();
  }
}
