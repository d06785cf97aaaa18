package dev.anneal.data.prep;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.format.BadRowException;
import dev.anneal.data.format.Columns;
import dev.anneal.data.format.Columns.Parsed;
import dev.anneal.data.format.Example;
import dev.anneal.data.format.FieldUse;
import dev.anneal.data.format.LearnedPart;
import dev.anneal.data.format.RowTokenizer;
import dev.anneal.data.format.TokenizedRow;
import dev.anneal.data.format.TurnEnds;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.source.JsonRows;
import dev.anneal.data.source.SourceRow;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.Message;
import dev.anneal.data.token.SpecialTokens;
import dev.anneal.data.token.TokenizerFiles;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.io.Serializable;
import java.time.LocalDate;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * Takes a row from JSON to tokens. It travels to executors as a broadcast, so that each of their
 * processes loads the tokenizer once.
 */
final class RowPreparer implements Serializable {
  private static final long serialVersionUID = 1L;

  private static final String NO_END =
      "Warning: no turn of an assistant ends with a learned token at which generation stops, so a"
          + " model does not learn to stop: put {{ eos_token }} behind what the assistant says,"
          + " within {% generation %} if the chat template has it.";

  private final PrepSpec spec;
  private final Columns columns;
  private final TokenizerFiles files;
  private FileSources sources = FileSources.NONE;
  private transient ChatTokenizer tokenizer;
  private transient RowTokenizer rowTokenizer;

  private RowPreparer(PrepSpec spec, TokenizerFiles files) {
    this.spec = spec;
    this.columns = new Columns(spec.rows().columns());
    this.files = files;
  }

  /** What became of a row. */
  sealed interface Outcome {}

  /**
   * A row to learn from.
   *
   * @param pieces at least one, each of at most {@code max_length} tokens, with something to learn
   * @param fullLength tokens of the whole row
   * @param fields what became of its fields
   */
  record Kept(List<TokenizedRow> pieces, int fullLength, Fate fate, FieldUse fields)
      implements Outcome {
    /** What became of its tokens. */
    enum Fate {
      WHOLE,
      TRUNCATED,
      SPLIT
    }

    /** The row, or its first piece. */
    TokenizedRow row() {
      return pieces.get(0);
    }
  }

  /** A row that cannot be read. */
  record Bad(String reason) implements Outcome {}

  /** A row in which nothing is left to learn, or that is too long. */
  record Dropped(String reason, int fullLength) implements Outcome {}

  /**
   * Reads the tokenizer and makes sure that it serves the format.
   *
   * @throws InvalidDataException if it does not
   */
  static RowPreparer load(PrepSpec spec, Storage storage) {
    TokenizerFiles files =
        spec.tokenizer() == null
            ? null
            : TokenizerFiles.read(spec.tokenizer(), spec.rows().template(), storage);
    RowPreparer preparer = new RowPreparer(spec, files);
    if (spec.rows().format().needsChatTemplate()) {
      preparer.tokenizer().requireChatTemplate();
    }
    return preparer;
  }

  /** Says which files rows come from, before it travels. */
  void comeFrom(FileSources files) {
    this.sources = files;
  }

  /**
   * What the row says.
   *
   * @throws BadRowException if it cannot be read
   */
  Parsed parse(SourceRow row) throws BadRowException {
    if (row.fault() != null) {
      throw new BadRowException(row.fault());
    }
    try {
      return withTurns(columns.parse(JsonRows.parse(row.json()), spec.rows().format()));
    } catch (IOException e) {
      throw new BadRowException("the row is not JSON");
    }
  }

  /** With what turns hold that no chat template names, among what nothing reads. */
  private Parsed withTurns(Parsed parsed) {
    if (!(parsed.example() instanceof Example.Chat chat)) {
      return parsed;
    }
    List<String> ofTurns =
        chat.messages().stream()
            .flatMap(Message::more)
            .filter(field -> !tokenizer().mayRead(field))
            .map("%s of a turn"::formatted)
            .toList();
    if (ofTurns.isEmpty()) {
      return parsed;
    }
    Set<String> unread = new TreeSet<>(parsed.fields().unread());
    unread.addAll(ofTurns);
    return new Parsed(
        parsed.example(), new FieldUse(unread, parsed.fields().mapped()), parsed.source());
  }

  Outcome prepare(SourceRow row) {
    RowTokenizer tokens = rowTokenizer();
    Outcome outcome;
    try {
      Parsed parsed = parse(row);
      String source = parsed.source().isEmpty() ? sources.of(row.file()) : parsed.source();
      outcome = fit(tokens.tokenize(parsed.example()).from(source), parsed.fields());
    } catch (BadRowException e) {
      return new Bad(e.getMessage());
    } catch (InvalidDataException e) {
      throw new InvalidDataException(
          "%s (seen at row %s of '%s')."
              .formatted(e.getMessage().replaceFirst("\\.$", ""), row.row(), row.file()),
          e);
    }
    if (outcome instanceof Kept kept) {
      requireEmbedded(kept, row);
    }
    return outcome;
  }

  private void requireEmbedded(Kept kept, SourceRow row) {
    for (TokenizedRow piece : kept.pieces()) {
      int id = piece.largestId();
      if (id >= spec.vocabSize()) {
        throw new InvalidDataException(
            "Row %s of '%s' has the token %s, but the model embeds only %s tokens: take it out of the row or set model.tokenizer to the tokenizer of this model."
                .formatted(row.row(), row.file(), nameOf(id), spec.vocabSize()));
      }
    }
  }

  private String nameOf(int id) {
    ChatTokenizer named = tokenizer();
    return named == null
        ? String.valueOf(id)
        : "'%s' (%s)".formatted(named.decode(new int[] {id}, SpecialTokens.KEEP), id);
  }

  private Outcome fit(TokenizedRow whole, FieldUse fields) {
    if (whole.targetSpans().length == 0) {
      return new Dropped("no token is learned", whole.length());
    }
    if (whole.length() <= spec.sequences().maxLength()) {
      return new Kept(List.of(whole), whole.length(), Kept.Fate.WHOLE, fields);
    }
    return switch (spec.sequences().longRows()) {
      case TRUNCATE -> truncated(whole, fields);
      case DROP -> new Dropped("the row is longer than max_length", whole.length());
      case SPLIT ->
          new Kept(
              whole.split(spec.sequences().maxLength()), whole.length(), Kept.Fate.SPLIT, fields);
    };
  }

  private Outcome truncated(TokenizedRow whole, FieldUse fields) {
    TokenizedRow row = whole.truncate(spec.sequences().maxLength());
    return row.targetSpans().length > 0
        ? new Kept(List.of(row), whole.length(), Kept.Fate.TRUNCATED, fields)
        : new Dropped("no learned token is left within max_length", whole.length());
  }

  /** The tokenizer of this process; null for rows that came tokenized without one. */
  synchronized ChatTokenizer tokenizer() {
    if (tokenizer == null && files != null) {
      tokenizer = ChatTokenizer.of(files);
    }
    return tokenizer;
  }

  /** See {@link DatasetManifest}. */
  String tokenizerSha256() {
    return Optional.ofNullable(tokenizer()).map(ChatTokenizer::tokenizerSha256).orElse(null);
  }

  /** See {@link DatasetManifest}. */
  String templateSha256() {
    return renderer().flatMap(ChatTokenizer::templateSha256).orElse(null);
  }

  /** See {@link DatasetManifest}. */
  String templateDate() {
    return renderer().flatMap(ChatTokenizer::templateDate).map(LocalDate::toString).orElse(null);
  }

  /** In a sentence: template, begin and end tokens; empty for rows that came tokenized. */
  Optional<String> tokens() {
    return switch (spec.rows().format()) {
      case TOKENIZED -> Optional.empty();
      case TEXT -> Optional.of(tokenizer().description());
      default ->
          Optional.of(
              "Chat template: "
                  + files.templates().description()
                  + ". "
                  + tokenizer().description());
    };
  }

  /** In a sentence: that no model learns to stop with this template; empty where one does. */
  Optional<String> warning() {
    return renderer().filter(t -> !new TurnEnds(t, learnedPart()).areLearned()).map(t -> NO_END);
  }

  private LearnedPart learnedPart() {
    return spec.sequences().trainOnPrompt() ? LearnedPart.WHOLE_ROW : LearnedPart.ANSWERS;
  }

  private Optional<ChatTokenizer> renderer() {
    return Optional.ofNullable(tokenizer()).filter(t -> spec.rows().format().needsChatTemplate());
  }

  /** Frees the tokenizer of this process. */
  synchronized void close() {
    if (tokenizer != null) {
      tokenizer.close();
      tokenizer = null;
      rowTokenizer = null;
    }
  }

  private synchronized RowTokenizer rowTokenizer() {
    if (rowTokenizer == null) {
      rowTokenizer = new RowTokenizer(tokenizer(), learnedPart());
    }
    return rowTokenizer;
  }
}
