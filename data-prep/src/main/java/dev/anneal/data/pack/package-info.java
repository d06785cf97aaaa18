/** Lays rows end to end into sequences. */
package dev.anneal.data.pack;
