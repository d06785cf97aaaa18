package dev.anneal.data;

final class Placeholder {
  private Placeholder() {}
}
