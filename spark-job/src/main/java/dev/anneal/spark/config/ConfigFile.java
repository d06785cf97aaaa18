package dev.anneal.spark.config;

import java.util.Optional;

/**
 * A configuration file that was read.
 *
 * @param name as messages say it
 * @param folder where it lies, as a path or URI; empty where it came without one
 */
record ConfigFile(String name, String text, Optional<String> folder) {}
