package dev.anneal.data.token;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * The tokens that the files beside {@code tokenizer.json} add to it or give a role, as
 * transformers' {@code PreTrainedTokenizerFast} reads them: {@code added_tokens_decoder} of {@code
 * tokenizer_config.json}, and where there is none {@code special_tokens_map.json} and {@code
 * added_tokens.json}.
 */
final class TokenizerMarks {
  static final String DECODER = "added_tokens_decoder";

  private static final String EXTRA = "extra_special_tokens";
  private static final String ADDITIONAL = "additional_special_tokens";

  private static final List<String> ROLES =
      List.of(
          "bos_token",
          "eos_token",
          "unk_token",
          "sep_token",
          "pad_token",
          "cls_token",
          "mask_token");

  private final Map<String, Mark> roles = new LinkedHashMap<>();
  private final List<Mark> added = new ArrayList<>();
  private final List<Mark> extra = new ArrayList<>();

  private TokenizerMarks(FolderFiles files, JsonNode config, Map<String, String> defaults) {
    defaults.forEach((role, content) -> roles.put(role, Mark.special(content)));
    takeRoles(config);
    JsonNode extras = config.path(EXTRA);
    boolean given = extras.isContainerNode() && !extras.isEmpty();
    takeExtra(given ? extras : config.path(ADDITIONAL));
    if (config.has(DECODER)) {
      takeById(config.path(DECODER));
    } else {
      JsonNode map = files.json("special_tokens_map.json");
      takeRoles(map);
      takeExtra(map.path(EXTRA));
      takeExtra(map.path(ADDITIONAL));
      takeByName(files.json("added_tokens.json"));
    }
  }

  /**
   * Reads the files.
   *
   * @param defaults tokens with a role where the files say nothing, not even null
   */
  static TokenizerMarks read(FolderFiles files, JsonNode config, Map<String, String> defaults) {
    return new TokenizerMarks(files, config, defaults);
  }

  /** The tokens with a role and their content, such as {@code eos_token}. */
  Map<String, String> roles() {
    Map<String, String> contents = new TreeMap<>();
    roles.forEach((role, mark) -> contents.put(role, mark.content()));
    return contents;
  }

  /** Adds what the list does not have yet, in the order in which transformers does. */
  void addTo(AddedTokenList tokens) {
    Set<String> named = new HashSet<>();
    roles.values().forEach(mark -> named.add(mark.content()));
    added.forEach(mark -> tokens.put(named.contains(mark.content()) ? mark.asSpecial() : mark));
    for (String role : inOrder()) {
      addIfNew(roles.get(role), tokens);
    }
    extra.forEach(mark -> addIfNew(mark, tokens));
  }

  private static void addIfNew(Mark mark, AddedTokenList tokens) {
    if (!tokens.has(mark.content())) {
      tokens.put(mark.asSpecial());
    }
  }

  private List<String> inOrder() {
    List<String> ordered = new ArrayList<>(ROLES);
    ordered.retainAll(roles.keySet());
    roles.keySet().stream().filter(role -> !ROLES.contains(role)).forEach(ordered::add);
    return ordered;
  }

  private void takeRoles(JsonNode fields) {
    fields
        .properties()
        .forEach(
            field -> {
              if (ROLES.contains(field.getKey()) && field.getValue().isNull()) {
                roles.remove(field.getKey());
              } else if (field.getKey().endsWith("_token") && isToken(field.getValue())) {
                roles.put(field.getKey(), Mark.special(field.getValue()));
              }
            });
  }

  private void takeExtra(JsonNode tokens) {
    if (tokens.isObject()) {
      tokens
          .properties()
          .forEach(token -> roles.put(token.getKey(), Mark.special(token.getValue())));
    } else {
      for (JsonNode token : tokens) {
        if (isToken(token)) {
          extra.add(Mark.special(token));
        }
      }
    }
  }

  private void takeById(JsonNode tokens) {
    Map<Integer, Mark> byId = new TreeMap<>();
    tokens
        .properties()
        .forEach(token -> byId.put(Integer.parseInt(token.getKey()), Mark.plain(token.getValue())));
    added.addAll(byId.values());
  }

  private void takeByName(JsonNode ids) {
    Set<String> special = new HashSet<>();
    roles.values().forEach(mark -> special.add(mark.content()));
    extra.forEach(mark -> special.add(mark.content()));
    Map<Integer, Mark> byId = new TreeMap<>();
    ids.properties()
        .forEach(
            id ->
                byId.put(
                    id.getValue().intValue(),
                    special.contains(id.getKey())
                        ? Mark.special(id.getKey())
                        : Mark.plain(id.getKey())));
    added.addAll(byId.values());
  }

  private static boolean isToken(JsonNode value) {
    return value.isTextual() || value.path("content").isTextual();
  }
}
