package dev.anneal.jinja.run;

import dev.anneal.jinja.error.TemplateException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Which variable a name means in a part of a template: {@code Symbols} of {@code idtracking.py}.
 */
final class Symbols {
  /** How a variable gets its first value. */
  enum Origin {
    /** It is a parameter. */
    PARAMETER,
    /** From the context, by name. */
    CONTEXT,
    /** From a variable around it. */
    ALIAS,
    /** It has none. */
    UNDEFINED
  }

  /** A first value; what it is taken from is a name or an identifier. */
  record Load(Origin origin, String from) {}

  private final int level;
  private final Symbols parent;
  private final Map<String, String> references = new LinkedHashMap<>();
  private final Map<String, Load> loads = new LinkedHashMap<>();
  private final Set<String> stores = new TreeSet<>();

  private Symbols(Symbols parent, int level) {
    this.parent = parent;
    this.level = level;
  }

  static Symbols root() {
    return new Symbols(null, 0);
  }

  Symbols inner() {
    return new Symbols(this, level + 1);
  }

  Symbols copy() {
    Symbols copy = new Symbols(parent, level);
    copy.references.putAll(references);
    copy.loads.putAll(loads);
    copy.stores.addAll(stores);
    return copy;
  }

  Map<String, Load> loads() {
    return loads;
  }

  Set<String> stores() {
    return stores;
  }

  private String define(String name, Load load) {
    String identifier = "l_" + level + "_" + name;
    references.put(name, identifier);
    loads.put(identifier, load);
    return identifier;
  }

  private String find(String name) {
    for (Symbols symbols = this; symbols != null; symbols = symbols.parent) {
      String found = symbols.references.get(name);
      if (found != null) {
        return found;
      }
    }
    return null;
  }

  /** The identifier that a name stands for. */
  String reference(String name) {
    String found = find(name);
    if (found == null) {
      // Jinja fails on names in the filter of a set block that stand nowhere else
      throw TemplateException.runtime(
          "the name '" + name + "' in the filter of a set block is not known there");
    }
    return found;
  }

  void store(String name) {
    stores.add(name);
    if (references.containsKey(name)) {
      return;
    }
    String outer = parent == null ? null : parent.find(name);
    define(name, outer == null ? new Load(Origin.UNDEFINED, null) : new Load(Origin.ALIAS, outer));
  }

  String declareParameter(String name) {
    stores.add(name);
    return define(name, new Load(Origin.PARAMETER, null));
  }

  void load(String name) {
    if (find(name) == null) {
      define(name, new Load(Origin.CONTEXT, name));
    }
  }

  /** Takes over what the branches of a condition have seen. */
  void join(List<Symbols> branches) {
    Set<String> stored = new TreeSet<>();
    branches.forEach(branch -> stored.addAll(branch.stores));
    stored.removeAll(stores);
    for (Symbols branch : branches) {
      references.putAll(branch.references);
      loads.putAll(branch.loads);
      stores.addAll(branch.stores);
    }
    for (String name : stored) {
      String outer = parent == null ? null : parent.find(name);
      loads.put(
          find(name),
          outer == null ? new Load(Origin.CONTEXT, name) : new Load(Origin.ALIAS, outer));
    }
  }

  /** Identifiers of all names that are set here or around. */
  Map<String, String> allStores() {
    Map<String, String> all = new TreeMap<>();
    for (Symbols symbols = this; symbols != null; symbols = symbols.parent) {
      for (String name : symbols.stores) {
        all.putIfAbsent(name, find(name));
      }
    }
    return all;
  }
}
