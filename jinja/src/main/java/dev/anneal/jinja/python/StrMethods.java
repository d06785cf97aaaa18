package dev.anneal.jinja.python;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.syntax.Whitespace;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Methods of texts. */
final class StrMethods {
  static final Set<String> NAMES =
      Set.of(
          "capitalize",
          "casefold",
          "center",
          "count",
          "encode",
          "endswith",
          "expandtabs",
          "find",
          "format",
          "format_map",
          "index",
          "isalnum",
          "isalpha",
          "isascii",
          "isdecimal",
          "isdigit",
          "isidentifier",
          "islower",
          "isnumeric",
          "isprintable",
          "isspace",
          "istitle",
          "isupper",
          "join",
          "ljust",
          "lower",
          "lstrip",
          "maketrans",
          "partition",
          "removeprefix",
          "removesuffix",
          "replace",
          "rfind",
          "rindex",
          "rjust",
          "rpartition",
          "rsplit",
          "rstrip",
          "split",
          "splitlines",
          "startswith",
          "strip",
          "swapcase",
          "title",
          "translate",
          "upper",
          "zfill");

  private static final Signature EXPANDTABS = Signature.of("expandtabs").optional("tabsize", 8L);

  private StrMethods() {}

  static Object call(Budget budget, String text, String name, Arguments arguments) {
    return switch (name) {
      case "split", "rsplit", "splitlines", "partition", "rpartition" ->
          StrSplitting.call(text, name, arguments);
      case "find", "rfind", "index", "rindex", "count", "startswith", "endswith" ->
          StrSearch.call(text, name, arguments.requireUnnamed(name));
      case "center", "ljust", "rjust", "zfill" ->
          StrPadding.call(budget, text, name, arguments.requireUnnamed(name));
      case "strip" -> Texts.strip(text, characters(name, arguments));
      case "lstrip" -> Texts.stripStart(text, characters(name, arguments));
      case "rstrip" -> Texts.stripEnd(text, characters(name, arguments));
      case "replace" -> replace(budget, text, arguments);
      case "join" -> join(budget, text, arguments.require(name, 1, 1).get(0));
      case "format" -> StrFormat.format(budget, text, arguments);
      case "format_map" -> StrFormat.formatMap(budget, text, arguments.require(name, 1, 1).get(0));
      case "removeprefix" -> {
        String prefix = one(name, arguments);
        yield text.startsWith(prefix) ? text.substring(prefix.length()) : text;
      }
      case "removesuffix" -> {
        String suffix = one(name, arguments);
        yield text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
      }
      case "expandtabs" -> {
        Object tab = EXPANDTABS.bind(arguments)[0];
        yield StrPadding.expandTabs(budget, text, Numbers.size(tab));
      }
      case "maketrans" -> StrTranslation.table(arguments);
      case "translate" ->
          StrTranslation.translate(budget, text, arguments.require(name, 1, 1).get(0));
      case "encode" ->
          throw TemplateException.unsupported(
              "'encode' makes bytes, which are not there for templates");
      default -> {
        arguments.require(name, 0, 0);
        yield plain(text, name);
      }
    };
  }

  /** Methods without arguments. */
  private static Object plain(String text, String name) {
    return switch (name) {
      case "upper" -> Letters.upper(text);
      case "lower" -> Letters.lower(text);
      case "capitalize" -> Letters.capitalize(text);
      case "title" -> Letters.title(text);
      case "swapcase" -> Letters.swapped(text);
      case "casefold" -> Letters.folded(text);
      case "isalnum" -> Characters.all(text, Characters::isAlphanumeric);
      case "isalpha" -> Characters.all(text, Characters::isAlpha);
      case "isascii" -> text.chars().allMatch(c -> c < 128);
      case "isdecimal" -> Characters.all(text, Characters::isDecimal);
      case "isdigit" -> Characters.all(text, Characters::isDigit);
      case "isidentifier" -> Characters.isIdentifier(text);
      case "islower" -> Characters.isLower(text);
      case "isnumeric" -> Characters.all(text, Characters::isNumeric);
      case "isprintable" -> text.codePoints().allMatch(Characters::isPrintable);
      case "isspace" -> Characters.all(text, Whitespace::is);
      case "istitle" -> Characters.isTitle(text);
      case "isupper" -> Characters.isUpper(text);
      default -> throw TemplateException.type("'str' object has no method '" + name + "'");
    };
  }

  private static String characters(String name, Arguments arguments) {
    arguments.require(name, 0, 1);
    if (arguments.size() == 0 || arguments.get(0) == null) {
      return null;
    }
    if (!Values.isText(arguments.get(0))) {
      throw TemplateException.type(name + " arg must be None or str");
    }
    return Repr.str(arguments.get(0));
  }

  private static String one(String name, Arguments arguments) {
    return text(name, arguments.require(name, 1, 1).get(0));
  }

  /** An argument that must be a text. */
  static String text(String name, Object argument) {
    if (!Values.isText(argument)) {
      throw TemplateException.type(
          name + "() argument must be str, not " + Values.typeName(argument));
    }
    return Repr.str(argument);
  }

  private static String replace(Budget budget, String text, Arguments arguments) {
    // Python 3.13 lets it be named
    Object named = arguments.named().get("count");
    if (!arguments.named().isEmpty() && (named == null || arguments.named().size() > 1)) {
      throw TemplateException.type("replace() takes no such keyword argument");
    }
    Arguments plain = new Arguments(arguments.positional(), Map.of()).require("replace", 2, 3);
    Object count = plain.size() == 3 ? plain.get(2) : named;
    long limit = plain.size() == 3 || named != null ? Numbers.size(count) : -1;
    return Texts.replace(
        budget, text, text("replace", plain.get(0)), text("replace", plain.get(1)), limit);
  }

  private static String join(Budget budget, String separator, Object items) {
    StringBuilder result = new StringBuilder();
    List<Object> parts = Iteration.list(budget, items);
    Iterator<Object> iterator = parts.iterator();
    while (iterator.hasNext()) {
      Object part = iterator.next();
      if (!Values.isText(part)) {
        throw TemplateException.type(
            "sequence item: expected str instance, " + Values.typeName(part) + " found");
      }
      result.append(Repr.str(part));
      if (iterator.hasNext()) {
        result.append(separator);
      }
      if (result.length() > Budget.MAX_TEXT) {
        budget.text(result.length());
      }
    }
    budget.text(result.length());
    return result.toString();
  }
}
