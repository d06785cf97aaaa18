/** The prepared data set as Arrow files: its schema, and how they are written and read ahead. */
package dev.anneal.data.arrow;
