package dev.anneal.training.cuda;

import java.io.Serializable;

/**
 * A GPU.
 *
 * @param index CUDA's, among those that the process sees
 * @param memoryBytes of it in all, or as far as {@link MemoryLimit} lets it be used
 * @param driver version of NVIDIA's driver
 */
public record Gpu(int index, String name, long memoryBytes, String driver)
    implements Serializable {}
