package dev.anneal.training.checkpoint;

import dev.anneal.training.io.WrittenFile;
import java.io.Serializable;
import java.util.List;

/**
 * What one rank has written of a checkpoint.
 *
 * @param step optimizer steps done when it was taken
 * @param bestStep of the checkpoint that holds the best adapter so far and must stay beside this
 *     one, which may be this one; 0: none
 * @param files names are relative to {@link CheckpointSink#folder}
 */
public record CheckpointPart(
    long step, int rank, int worldSize, long bestStep, List<WrittenFile> files)
    implements Serializable {}
