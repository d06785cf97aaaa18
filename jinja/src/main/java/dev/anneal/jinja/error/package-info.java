/** What goes wrong in a template. */
package dev.anneal.jinja.error;
