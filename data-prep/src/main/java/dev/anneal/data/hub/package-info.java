/**
 * The Hugging Face hub: how it is reached, what it lists, reading its files by range, and data sets
 * of it as the source of a preparation.
 */
package dev.anneal.data.hub;
