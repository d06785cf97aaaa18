/** What is written of a prepared data set beside its rows: its manifest, and that as a report. */
package dev.anneal.data.manifest;
