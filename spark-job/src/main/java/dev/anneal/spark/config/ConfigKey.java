package dev.anneal.spark.config;

/**
 * A key of the configuration, all that there is to say of it.
 *
 * @param name with its section: {@code lora.r}
 * @param text what it is, for the reference file and for editors
 * @param rule what a value must be
 * @param defaultValue {@code null} for none
 * @param kind what a text stands for
 * @param identity whether it belongs to what a run computes
 */
record ConfigKey(
    String name, String text, Rule rule, Object defaultValue, Kind kind, Identity identity) {

  /** What a text stands for. */
  enum Kind {
    VALUE,
    /** Nobody gets to see it. */
    SECRET,
    /** A place: a plain path is one on this machine, relative to the working folder. */
    LOCATION
  }

  String section() {
    return name.substring(0, name.indexOf('.'));
  }

  String field() {
    return name.substring(name.indexOf('.') + 1);
  }

  /** Begins the declaration of a key. */
  static Declaration key(String name, String text) {
    return new Declaration(name, text);
  }

  /** A key that is not complete before it has its default. */
  static final class Declaration {
    private final String name;
    private final String text;
    private Rule rule;
    private Identity identity = Identity.NEVER;

    private Declaration(String name, String text) {
      this.name = name;
      this.text = text;
    }

    Declaration is(Rule rule) {
      this.rule = rule;
      return this;
    }

    Declaration identity(Identity identity) {
      this.identity = identity;
      return this;
    }

    ConfigKey byDefault(Object value) {
      return new ConfigKey(name, text, rule, value, Kind.VALUE, identity);
    }

    ConfigKey noneByDefault() {
      return new ConfigKey(name, text, rule.orNone(), null, Kind.VALUE, identity);
    }

    ConfigKey secret() {
      return new ConfigKey(name, text, rule.orNone(), null, Kind.SECRET, identity);
    }

    ConfigKey location() {
      return new ConfigKey(name, text, Rule.text().orNone(), null, Kind.LOCATION, identity);
    }
  }
}
