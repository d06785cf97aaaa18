/**
 * Memory of a host's ranks that each of them reads directly, by the copy engines of its GPU: how
 * ranks find out whether they can, what they wait for, and how they part.
 */
package dev.anneal.training.peer;
