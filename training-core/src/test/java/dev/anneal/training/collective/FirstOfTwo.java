package dev.anneal.training.collective;

/** Rank 0 of two, whose peer is what a test makes of it. */
public interface FirstOfTwo extends GatheringOnly {
  @Override
  default int rank() {
    return 0;
  }

  @Override
  default int worldSize() {
    return 2;
  }
}
