package dev.anneal.jinja.syntax;

/** A place in a template, both from 1. */
public record Position(int line, int column) {}
