package dev.anneal.jinja.filter;

import dev.anneal.jinja.error.TemplateException;
import dev.anneal.jinja.python.Budget;
import dev.anneal.jinja.python.Iteration;
import dev.anneal.jinja.python.Markup;
import dev.anneal.jinja.python.Numbers;
import dev.anneal.jinja.python.Repr;
import dev.anneal.jinja.python.Slices;
import dev.anneal.jinja.python.Texts;
import dev.anneal.jinja.python.Values;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Links around addresses: {@code urlize} of {@code utils.py}. */
final class Urlize {
  private static final int FLAGS =
      Pattern.CASE_INSENSITIVE | Pattern.UNICODE_CASE | Pattern.COMMENTS;
  private static final Pattern ADDRESS =
      Pattern.compile(
          """
          ^((https?://|www\\.)(([\\p{L}\\p{N}_%-]+\\.)+)?([a-z]{2,63}|xn--[\\p{L}\\p{N}_%]{2,59})
          |([\\p{L}\\p{N}_%-]{2,63}\\.)+(com|net|int|edu|gov|org|info|mil)
          |(https?://)((([\\d]{1,3})(\\.[\\d]{1,3}){3})|(\\[([\\da-f]{0,4}:){2}([\\da-f]{0,4}:?){1,6}\\])))
          (?::[\\d]{1,5})?(?:[/?\\#]\\S*)?$
          """,
          FLAGS);
  private static final Pattern MAIL =
      Pattern.compile("^\\S+@[\\p{L}\\p{N}_][\\p{L}\\p{N}_.-]*\\.[\\p{L}\\p{N}_]+$");
  private static final Pattern SCHEME = Pattern.compile("[\\p{L}\\p{N}_.+-]{2,}:(/){0,2}");
  private static final Pattern HEAD = Pattern.compile("^([(<]|&lt;)+");
  private static final Pattern TAIL = Pattern.compile("([)>.,\n]|&gt;)+$");
  private static final Pattern BLANKS = Pattern.compile("(?U)\\s+");

  private final Budget budget;
  private final Object limit;
  private final String attributes;
  private final List<String> schemes;

  private Urlize(Budget budget, Object limit, String attributes, List<String> schemes) {
    this.budget = budget;
    this.limit = limit;
    this.attributes = attributes;
    this.schemes = schemes;
  }

  static String of(Budget budget, Object[] v) {
    TreeSet<String> relations = new TreeSet<>();
    if (Values.truth(v[4])) {
      for (String relation : Repr.str(v[4]).split("\\s+", -1)) {
        relations.add(relation);
      }
    }
    if (Values.truth(v[2])) {
      relations.add("nofollow");
    }
    relations.add("noopener");
    relations.remove("");
    String rel = " rel=\"" + Markup.escape(String.join(" ", relations)).text() + "\"";
    String target = Values.truth(v[3]) ? " target=\"" + Markup.escape(v[3]).text() + "\"" : "";
    List<String> schemes = new ArrayList<>();
    if (v[5] != null) {
      for (Object scheme : Iteration.list(budget, v[5])) {
        if (!Values.isText(scheme) || !SCHEME.matcher(Repr.str(scheme)).matches()) {
          throw Paths.wrong(Repr.of(scheme) + " is not a valid URI scheme prefix.");
        }
        schemes.add(Repr.str(scheme));
      }
    }
    if (v[1] != null && !Numbers.isNumber(v[1])) {
      throw TemplateException.type("trim_url_limit must be a number");
    }
    return new Urlize(budget, v[1], rel + target, schemes).text(Markup.escape(v[0]).text());
  }

  private String text(String escaped) {
    StringBuilder result = new StringBuilder();
    Matcher blanks = BLANKS.matcher(escaped);
    int from = 0;
    while (blanks.find()) {
      result.append(word(escaped.substring(from, blanks.start()))).append(blanks.group());
      from = blanks.end();
      budget.step();
    }
    return result.append(word(escaped.substring(from))).toString();
  }

  private String word(String word) {
    Matcher headMatcher = HEAD.matcher(word);
    String head = headMatcher.find() ? headMatcher.group() : "";
    String middle = word.substring(head.length());
    Matcher tailMatcher = TAIL.matcher(middle);
    String tail = tailMatcher.find() ? tailMatcher.group() : "";
    middle = middle.substring(0, middle.length() - tail.length());
    for (String[] pair : new String[][] {{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}}) {
      int more = count(middle, pair[0]);
      if (more <= count(middle, pair[1])) {
        continue;
      }
      for (int i = Math.min(more, count(tail, pair[1])); i > 0; i--) {
        int end = tail.indexOf(pair[1]) + pair[1].length();
        middle += tail.substring(0, end);
        tail = tail.substring(end);
      }
    }
    return head + linked(middle) + tail;
  }

  private static int count(String text, String part) {
    int count = 0;
    for (int i = text.indexOf(part); i >= 0; i = text.indexOf(part, i + part.length())) {
      count++;
    }
    return count;
  }

  private String linked(String text) {
    if (ADDRESS.matcher(text).find()) {
      boolean full = text.startsWith("https://") || text.startsWith("http://");
      return link((full ? "" : "https://") + text, attributes, trimmed(text));
    }
    if (text.startsWith("mailto:") && MAIL.matcher(text.substring(7)).find()) {
      return link(text, "", text.substring(7));
    }
    boolean mail =
        text.contains("@")
            && !text.startsWith("www.")
            && !text.startsWith("@")
            && !text.contains(":")
            && MAIL.matcher(text).find();
    if (mail) {
      return link("mailto:" + text, "", text);
    }
    String result = text;
    for (String scheme : schemes) {
      if (!result.equals(scheme) && result.startsWith(scheme)) {
        result = link(result, attributes, result);
      }
    }
    return result;
  }

  private static String link(String address, String attributes, String text) {
    return "<a href=\"" + address + "\"" + attributes + ">" + text + "</a>";
  }

  private String trimmed(String text) {
    if (limit == null || Texts.length(text) <= Numbers.real(limit)) {
      return text;
    }
    return Slices.of(text, null, limit, null) + "...";
  }
}
