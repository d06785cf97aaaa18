package dev.anneal.training.checkpoint;

import dev.anneal.training.io.ModelFolder;

/**
 * A complete checkpoint to go on from.
 *
 * @param step optimizer steps done when it was taken
 * @param folder the files that ranks have written of it
 */
public record ResumePoint(long step, ModelFolder folder) {}
