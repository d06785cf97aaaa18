package dev.anneal.training.timing;

/** Who works: the line of a trace that a span is in, and the sum of a step that it counts in. */
public enum Lane {
  /** The rank's thread, giving the device its work. */
  HOST,
  /** The rank's thread, reading sequences. */
  DATA,
  /** The device, on the stream that computes. */
  COMPUTE,
  /** The device, on streams that exchange values with other ranks. */
  EXCHANGE,
  /** The device, on streams that copy between it and the host. */
  OFFLOAD
}
