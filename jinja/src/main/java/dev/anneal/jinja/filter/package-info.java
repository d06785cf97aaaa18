/** Jinja2's filters and tests, by the functions of {@code filters.py} and {@code tests.py}. */
package dev.anneal.jinja.filter;
