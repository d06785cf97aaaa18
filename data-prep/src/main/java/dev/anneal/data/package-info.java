/** A prepared data set seen as rows again: as a DataFrame, and as text with what is learned. */
package dev.anneal.data;
