package dev.anneal.training.cudnn;

/**
 * What attention reads and writes in the device's memory, by the names that a plan is given their
 * addresses under. {@code heads} and {@code kv_heads} are those of the plan's shape, which may be
 * some of the tensors'.
 */
public enum AttentionOperand {
  /** {@code [T, heads, head_dim]} bf16. */
  QUERY(1),
  /** {@code [T, kv_heads, head_dim]} bf16. */
  KEY(2),
  /** {@code [T, kv_heads, head_dim]} bf16. */
  VALUE(3),
  /** {@code [T, heads, head_dim]} bf16. */
  OUTPUT(4),
  /** {@code [T, heads]} fp32. */
  LOGSUMEXP(5),
  /** {@code [T, heads, head_dim]} bf16. */
  D_OUTPUT(6),
  /** {@code [T, heads, head_dim]} bf16. */
  D_QUERY(7),
  /** {@code [T, kv_heads, head_dim]} bf16. */
  D_KEY(8),
  /** {@code [T, kv_heads, head_dim]} bf16. */
  D_VALUE(9),
  /** {@code [rows]} int32: tokens of each row; 0 for those that are not there. */
  QUERY_LENGTHS(10),
  /** The same. */
  KEY_LENGTHS(11),
  /** {@code [rows + 1]} int32: where each row begins in {@code QUERY}, in elements. */
  QUERY_STARTS(12),
  /** Likewise in {@code KEY} and {@code VALUE}. */
  KEY_STARTS(13),
  /** Likewise in {@code OUTPUT}, {@code D_OUTPUT} and {@code D_QUERY}. */
  OUTPUT_STARTS(14),
  /** Likewise in {@code D_KEY} and {@code D_VALUE}. */
  D_KEY_STARTS(15),
  /** Likewise in {@code LOGSUMEXP} and {@code DELTA}. */
  LOGSUMEXP_STARTS(16),
  /** Room for the sums of {@code dO O}, {@code [T, heads]} fp32. */
  DELTA(17),
  /** Room for {@code D_KEY} of every query head, {@code [T, heads, head_dim]} bf16. */
  D_KEY_HEADS(18),
  /** Room for {@code D_VALUE} of every query head, likewise. */
  D_VALUE_HEADS(19);

  /** No operand has a greater number: those after it are what graphs compute on the way. */
  static final int LAST_UID = 19;

  private final int uid;

  AttentionOperand(int uid) {
    this.uid = uid;
  }

  /** cuDNN's name for it. */
  int uid() {
    return uid;
  }
}
