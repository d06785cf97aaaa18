/** Fetches files of the Hugging Face hub into a cache that all runs of a machine share. */
package dev.anneal.data.hub;
