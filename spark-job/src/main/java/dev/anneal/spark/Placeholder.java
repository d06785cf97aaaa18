package dev.anneal.spark;

final class Placeholder {
  private Placeholder() {}
}
