package dev.anneal.training.checkpoint;

import dev.anneal.training.io.WrittenFile;
import java.io.Serializable;
import java.util.List;

/**
 * What one rank has written of a checkpoint.
 *
 * @param step optimizer steps done when it was taken
 * @param files names are relative to {@link CheckpointSink#folder}
 */
public record CheckpointPart(long step, int rank, int worldSize, List<WrittenFile> files)
    implements Serializable {}
