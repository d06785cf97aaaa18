/**
 * From a template's text to its syntax tree, as {@code lexer.py} and {@code parser.py} of Jinja2
 * 3.1 do it with {@code trim_blocks}, {@code lstrip_blocks}, the loop controls and the tag {@code
 * generation}.
 */
package dev.anneal.jinja.syntax;
