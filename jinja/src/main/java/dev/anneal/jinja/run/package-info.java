/**
 * From a syntax tree to what is run. Jinja2 compiles a template to functions of Python, and where a
 * variable lives follows from that; {@link dev.anneal.jinja.run.Symbols} and {@link
 * dev.anneal.jinja.run.Compiler} do what its {@code idtracking.py} and {@code compiler.py} do, with
 * slots of {@link dev.anneal.jinja.run.Frame} for the local variables of those functions.
 */
package dev.anneal.jinja.run;
