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
  private final Duration patience;
  private final Thread thread;
  private volatile DriverCommand command = DriverCommand.GO_ON;

  /**
   * @param patience how long the driver may be silent
   */
  NodeHeartbeat(RankChannel channel, Duration patience) {
    this.channel = channel;
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
          obey(channel.deliver(new RankEvent.Alive()));
          heard = System.nanoTime();
        } catch (IllegalStateException silent) {
          if (System.nanoTime() - heard > patience.toNanos()) {
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
