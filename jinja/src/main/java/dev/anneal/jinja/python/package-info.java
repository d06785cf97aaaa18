/**
 * Python's values and what Jinja's sandbox lets a template do with them. None is {@code null}, and
 * {@code Boolean}, {@code Long}, {@code BigInteger} (where a long is too short), {@code Double},
 * {@code String}, {@code List} and {@code Map} stand for themselves; every other value has a class
 * here. Positions and lengths of texts count code points.
 */
package dev.anneal.jinja.python;
