package dev.anneal.spark.faults;

import java.util.EnumSet;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The sentences of a run about what stood in its way. A group is the host that a sentence names.
 */
enum Sentence {
  KILLED(Sentence.LOST + "(?:Command exited with code 137|Remote RPC client disassociated).*"),
  TERMINATED(Sentence.LOST + "(?:Command exited with code 143|Remote RPC client disassociated).*"),
  EXECUTOR_TOLD_TO_END(
      "The process of rank \\d+ on (\\S+) was told to end: all ranks leave with a checkpoint\\."),
  STANDS_STILL(
      "The process of rank \\d+ on (\\S+) did not answer its peers in time and has given no sign of life for \\d+ s: process \\d+ there stands still, or its node cannot be reached\\.|"
          + Sentence.LOST
          + "Executor heartbeat timed out.*"),
  WORKER_LOST(Sentence.LOST + "(?i:worker).*"),
  CLOSED(
      "The connection to the process of rank \\d+ on (\\S+) was closed, and Spark has told nothing of its end: .*"),
  DRIVER_KILLED("anneal: the driver was killed.*"),
  TOLD_TO_END(
      "Told to end: the ranks leave with a checkpoint \\.\\.\\.|The run was interrupted\\..*|anneal: The run was interrupted\\..*"),
  DRIVER_STOOD_STILL("The driver stood still for \\d+ s, and the ranks left it: .*"),
  NO_CHECKPOINT_STORE(Sentence.NO_CHECKPOINT + ".*(?:s3a?://|S3|SlowDown|503|Connect|connect).*"),
  KEYS_REFUSED(
      "(?:anneal: |Rank \\d+ on \\S+ failed: |"
          + Sentence.NO_CHECKPOINT
          + ").*(?:expired|ExpiredToken).*"),
  NO_ROOM(
      "(?:anneal: |Rank \\d+ on \\S+ failed: |" + Sentence.NO_CHECKPOINT + ").*No space left.*");

  /** What every run says that nothing disturbs, and what it says of how it goes on. */
  private static final Pattern ORDINARY =
      Pattern.compile(
          ".* \\.\\.\\.|step +[\\d,]+/.*|[\\d,]+ rows in .*|Chat template: .*|Note: .*|held-out loss .*|loading weights.*|Done in .*|(?:Adapter|Metrics|Record|Data set) +\\S+|Next: .*|      or load it .*|\\s*");

  private static final String LOST =
      "(?:The process of ranks? [\\d to]+|Executor \\d+) on (\\S+) was lost(?: before its ranks began)?: ";
  private static final String NO_CHECKPOINT = "The checkpoint after step [\\d,]+ is missing: ";

  private final Pattern pattern;

  Sentence(String pattern) {
    this.pattern = Pattern.compile(pattern);
  }

  /** What may be said of a fault; of what nobody need notice nothing at all. */
  static Set<Sentence> trueOf(SoakFault fault) {
    return switch (fault) {
      case KILL_EXECUTOR -> EnumSet.of(KILLED);
      case TERMINATE_EXECUTOR -> EnumSet.of(TERMINATED, EXECUTOR_TOLD_TO_END);
      case PAUSE_EXECUTOR -> EnumSet.noneOf(Sentence.class);
      case STOP_EXECUTOR -> EnumSet.of(STANDS_STILL);
      case REPLACE_LATE -> EnumSet.of(KILLED, CLOSED);
      case STOP_WORKER -> EnumSet.of(WORKER_LOST);
      case KILL_BEHIND_STOPPED_WORKER -> EnumSet.of(KILLED, WORKER_LOST, CLOSED);
      case CUT_SHORTLY -> EnumSet.noneOf(Sentence.class);
      case CUT -> EnumSet.of(STANDS_STILL, WORKER_LOST, CLOSED);
      case KILL_DRIVER -> EnumSet.of(DRIVER_KILLED);
      case TERMINATE_DRIVER -> EnumSet.of(TOLD_TO_END);
      case STOP_DRIVER -> EnumSet.of(DRIVER_STOOD_STILL);
      case STORE_AWAY -> EnumSet.of(NO_CHECKPOINT_STORE);
      case STORE_THROTTLES -> EnumSet.of(NO_CHECKPOINT_STORE);
      case KEYS_REFUSED -> EnumSet.of(KEYS_REFUSED);
      case DISK_FULL -> EnumSet.of(NO_ROOM);
    };
  }

  /** Whether a line says nothing about a cause. */
  static boolean isOrdinary(String line) {
    return ORDINARY.matcher(line).matches() && !TOLD_TO_END.pattern.matcher(line).matches();
  }

  /** Whether a line is this sentence, and blames none but one of {@code hosts}. */
  boolean is(String line, Set<String> hosts) {
    Matcher matcher = pattern.matcher(line);
    if (!matcher.matches()) {
      return false;
    }
    for (int group = 1; group <= matcher.groupCount(); group++) {
      if (matcher.group(group) != null && !hosts.contains(matcher.group(group))) {
        return false;
      }
    }
    return true;
  }
}
