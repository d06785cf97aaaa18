package dev.anneal.jinja.python;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Attributes and elements as Jinja's {@code ImmutableSandboxedEnvironment} gives them out. */
public final class Attributes {
  /** Stands for what is not there, where null would be None. */
  public static final Object ABSENT = new Object();

  private static final Set<String> OF_LISTS =
      Set.of("append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove");
  private static final Set<String> OF_DICTS =
      Set.of("clear", "pop", "popitem", "setdefault", "update");
  private static final Set<String> OF_SETS =
      Set.of(
          "add",
          "clear",
          "difference_update",
          "discard",
          "pop",
          "remove",
          "symmetric_difference_update",
          "update");

  /** What every object of Python has, and mappings among them. */
  private static final Set<String> OF_ALL =
      Set.of(
          "__class__",
          "__contains__",
          "__delattr__",
          "__delitem__",
          "__dir__",
          "__doc__",
          "__eq__",
          "__format__",
          "__ge__",
          "__getattribute__",
          "__getitem__",
          "__gt__",
          "__hash__",
          "__init__",
          "__init_subclass__",
          "__iter__",
          "__le__",
          "__len__",
          "__lt__",
          "__ne__",
          "__new__",
          "__reduce__",
          "__reduce_ex__",
          "__repr__",
          "__setattr__",
          "__setitem__",
          "__sizeof__",
          "__str__",
          "__subclasshook__");

  private Attributes() {}

  /** {@code object.name}: an attribute, else an element, else undefined. */
  public static Object get(Object object, String name) {
    if (object instanceof Map<?, ?> map) {
      if (!DictMethods.NAMES.contains(name) && !isHidden(name)) {
        // what most templates ask for
        Object value = Dict.find(map, name);
        return value == ABSENT ? Undefined.member(object, name) : value;
      }
    }
    Object value = attribute(object, name);
    if (value != ABSENT) {
      return value;
    }
    value = element(object, name);
    return value == ABSENT ? Undefined.member(object, name) : value;
  }

  private static boolean isHidden(String name) {
    return name.startsWith("__") && OF_ALL.contains(name);
  }

  /** {@code object[key]}: an element, else an attribute, else undefined. */
  public static Object item(Object object, Object key) {
    Object value = element(object, key);
    if (value != ABSENT) {
      return value;
    }
    if (Values.isText(key)) {
      value = attribute(object, Repr.str(key));
      if (value != ABSENT) {
        return value;
      }
    }
    return Undefined.member(object, key);
  }

  /** An attribute, undefined if the sandbox does not give it out, absent if there is none. */
  public static Object attribute(Object object, String name) {
    if (object instanceof Undefined undefined) {
      if (isHidden(name)) {
        return Undefined.unsafe(object, name);
      }
      if (name.startsWith("__") && name.endsWith("__")) {
        return ABSENT;
      }
      throw undefined.error();
    }
    if (isHidden(name)) {
      return Undefined.unsafe(object, name);
    }
    if (object instanceof Attributed attributed) {
      Object value = attributed.attribute(name);
      if (value != ABSENT) {
        return name.startsWith("_") ? Undefined.unsafe(object, name) : value;
      }
    }
    if ((object instanceof List && OF_LISTS.contains(name))
        || (object instanceof Map && OF_DICTS.contains(name))
        || (object instanceof PythonSet && OF_SETS.contains(name))) {
      return Undefined.unsafe(object, name);
    }
    Object own =
        object instanceof Range range
            ? range.attribute(name)
            : NumberMethods.attribute(object, name);
    if (own != ABSENT) {
      return own;
    }
    if (hasMethod(object, name)) {
      return new BoundMethod(object, name);
    }
    Unsupported.refuse(object, name);
    return ABSENT;
  }

  private static boolean hasMethod(Object object, String name) {
    if (Values.isText(object)) {
      return StrMethods.NAMES.contains(name);
    }
    if (object instanceof Map) {
      return DictMethods.NAMES.contains(name);
    }
    if (object instanceof List || object instanceof Tuple || object instanceof Range) {
      return ListMethods.has(object, name);
    }
    return NumberMethods.has(object, name);
  }

  /** {@code object[key]} without attributes; absent for Python's TypeError and LookupError. */
  private static Object element(Object object, Object key) {
    if (object instanceof Map<?, ?> map) {
      return Key.isHashable(key) ? Dict.find(map, key) : ABSENT;
    }
    if (object instanceof Undefined undefined) {
      throw undefined.error();
    }
    int size = Slices.isSliceable(object) ? Iteration.size(object) : -1;
    if (size < 0 || !Values.isInteger(key) || key instanceof BigInteger) {
      return object instanceof Elements elements ? elements.element(key) : ABSENT;
    }
    long place = key instanceof Boolean truth ? (truth ? 1 : 0) : (Long) key;
    place = place < 0 ? place + size : place;
    if (place < 0 || place >= size) {
      return ABSENT;
    }
    int index = (int) place;
    if (object instanceof String text) {
      return Texts.at(text, index);
    }
    if (object instanceof Markup markup) {
      return new Markup(Texts.at(markup.text(), index));
    }
    if (object instanceof Tuple tuple) {
      return tuple.items().get(index);
    }
    return object instanceof Range range ? (Object) range.at(index) : ((List<?>) object).get(index);
  }

  /** An object that gives elements by keys of its own. */
  public interface Elements {
    Object element(Object key);
  }
}
