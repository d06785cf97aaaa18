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
  ENDS_AFTER_STANDSTILL(
      "The process of rank \\d+ on \\S+ ends: it was told to, or has heard nothing of the driver, which stood still for \\d+ s\\. .*"),
  STANDS_STILL(
      "The process of rank \\d+ on (\\S+) did not answer its peers in time and has given no sign of life for \\d+ s: process \\d+ there stands still, or its node cannot be reached\\."),
  UNHEARD_EXECUTOR(Sentence.UNHEARD + "\\(Executor heartbeat timed out.*"),
  UNHEARD_WORKER(Sentence.UNHEARD + "\\(worker lost.*"),
  CLOSED(
      "The connection to the process of rank \\d+ on (\\S+) was closed, and Spark has told nothing of its end: .*"),
  DRIVER_KILLED("anneal: the driver was killed.*"),
  TOLD_TO_END(
      "Told to end: the ranks leave with a checkpoint \\.\\.\\.|(?:anneal: )?The run was interrupted\\..*"),
  DRIVER_STOOD_STILL("The driver stood still for \\d+ s, and the ranks left it.*"),
  NO_ANSWER(
      Sentence.NO_CHECKPOINT
          + "rank \\d+ could not write its part: no answer came from the driver\\.?"),
  STORE_FAILED(
      Sentence.NO_CHECKPOINT
          + "(?!.*damaged).*(?:S3|SlowDown|503|[Cc]onnect|[Uu]nable to execute).*"),
  KEYS_REFUSED(Sentence.STOPPED_BY + "(?!.*damaged).*(?:expired|ExpiredToken).*"),
  NO_ROOM(Sentence.STOPPED_BY + "(?!.*damaged).*No space left.*"),
  LATE_RANKS("Rank \\d+ on \\S+ was left alone: not all ranks came to the rendezvous within .*"),
  STILL_WRITING(Sentence.NO_CHECKPOINT + "the one before is still being written; .*");

  /** What every run says that nothing disturbs, and what it says of how it goes on. */
  private static final Pattern ORDINARY =
      Pattern.compile(
          ".* \\.\\.\\.|step +[\\d,]+/.*|[\\d,]+ rows in .*|Chat template: .*|Note: .*|held-out loss .*|loading weights.*|Done in .*|(?:Adapter|Metrics|Record|Data set) +\\S+|Next: .*| +(?:or load it|then serve it) .*|\\s*");

  private static final String LOST =
      "(?:The process of ranks? [\\d to]+|Executor \\d+) on (\\S+) was lost(?: before its ranks began)?: ";
  private static final String UNHEARD =
      "Spark heard nothing more of (?:the process of ranks? [\\d to]+|executor \\d+) on (\\S+?),? (?:whose ranks had not begun )?";
  private static final String NO_CHECKPOINT = "The checkpoint after step [\\d,]+ is missing: ";
  private static final String STOPPED_BY =
      "(?:anneal: |Rank \\d+ on \\S+ failed: |" + NO_CHECKPOINT + ")";

  private final Pattern pattern;

  Sentence(String pattern) {
    this.pattern = Pattern.compile(pattern);
  }

  /** What may be said of a fault; of what nobody need notice no more than that it takes long. */
  static Set<Sentence> trueOf(SoakFault fault) {
    return switch (fault) {
      case KILL_EXECUTOR -> EnumSet.of(KILLED, LATE_RANKS, STILL_WRITING);
      case TERMINATE_EXECUTOR ->
          EnumSet.of(TERMINATED, EXECUTOR_TOLD_TO_END, LATE_RANKS, STILL_WRITING);
      case STOP_EXECUTOR -> EnumSet.of(STANDS_STILL, UNHEARD_EXECUTOR, LATE_RANKS, STILL_WRITING);
      case REPLACE_LATE -> EnumSet.of(KILLED, LATE_RANKS, STILL_WRITING);
      case STOP_WORKER ->
          EnumSet.of(UNHEARD_WORKER, EXECUTOR_TOLD_TO_END, LATE_RANKS, STILL_WRITING);
      case KILL_BEHIND_STOPPED_WORKER ->
          EnumSet.of(
              KILLED, UNHEARD_WORKER, CLOSED, EXECUTOR_TOLD_TO_END, LATE_RANKS, STILL_WRITING);
      case CUT ->
          // a worker that comes back is told to end its executor
          EnumSet.of(
              STANDS_STILL,
              UNHEARD_EXECUTOR,
              UNHEARD_WORKER,
              EXECUTOR_TOLD_TO_END,
              NO_ANSWER,
              LATE_RANKS,
              STILL_WRITING);
      case KILL_DRIVER -> EnumSet.of(DRIVER_KILLED, STILL_WRITING);
      case TERMINATE_DRIVER -> EnumSet.of(TOLD_TO_END, STILL_WRITING);
      case STOP_DRIVER ->
          EnumSet.of(DRIVER_STOOD_STILL, ENDS_AFTER_STANDSTILL, NO_ANSWER, STILL_WRITING);
      case STORE_AWAY, STORE_THROTTLES -> EnumSet.of(STORE_FAILED, STILL_WRITING);
      case KEYS_REFUSED -> EnumSet.of(KEYS_REFUSED, STILL_WRITING);
      case DISK_FULL -> EnumSet.of(NO_ROOM, STILL_WRITING);
      case CUT_SHORTLY -> EnumSet.of(NO_ANSWER, STILL_WRITING);
      case PAUSE_EXECUTOR -> EnumSet.of(STILL_WRITING);
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
