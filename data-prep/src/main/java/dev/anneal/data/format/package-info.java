/**
 * Understands a row: which fields it has, which conversation that is, and what of it is learned.
 */
package dev.anneal.data.format;
