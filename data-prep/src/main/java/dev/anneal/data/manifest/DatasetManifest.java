package dev.anneal.data.manifest;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.storage.Sha256;
import dev.anneal.storage.Storage;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.SortedMap;
import java.util.regex.Pattern;

/**
 * {@code dataset.json}: what a prepared data set holds. It is written last, so a data set without
 * it is incomplete.
 *
 * @param schemaVersion of this file and of the Arrow columns
 * @param tokenizerSha256 of {@code tokenizer.json} and the tokens with a role; null for rows that
 *     came tokenized
 * @param templateSha256 of the chat template; null where none was used
 * @param templateDate the date that the template wrote into its text; null where it writes none
 * @param spec what was asked for
 * @param rows what became of the source's rows
 * @param train what is trained on
 * @param eval what is held out
 * @param tokenLengths rows by their length in tokens before truncation: the key {@code 64} counts
 *     those with 33 to 64
 * @param sourceFiles what was read; null for a table, and in data sets of earlier versions
 * @param notes what a reader should know of how rows were understood, a sentence each: the chat
 *     template and the tokens it was prepared with, fields that nothing read
 */
public record DatasetManifest(
    int schemaVersion,
    String tokenizerSha256,
    String templateSha256,
    String templateDate,
    DatasetSettings spec,
    Rows rows,
    Part train,
    Part eval,
    SortedMap<Integer, Long> tokenLengths,
    SourceFingerprint sourceFiles,
    List<String> notes) {

  public DatasetManifest {
    notes = notes == null ? List.of() : List.copyOf(notes);
  }

  /** The version that this build writes and reads. */
  public static final int SCHEMA_VERSION = 1;

  /** Name of the manifest's file in the folder of the data set. */
  public static final String FILE_NAME = "dataset.json";

  /** A plain name without a dot in front. */
  private static final Pattern FILE = Pattern.compile("[A-Za-z0-9_-][A-Za-z0-9._-]*");

  private static final long MAX_SEQUENCES = 1L << 40;

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(SerializationFeature.INDENT_OUTPUT)
          .build();

  /**
   * Numbers of rows.
   *
   * @param read from the source
   * @param kept for training or held out
   * @param truncated of the kept ones, those cut at {@code max_length}
   * @param split of the kept ones, those that became several
   * @param bad unreadable ones by reason
   * @param dropped readable ones that were left out, by reason
   */
  public record Rows(
      long read,
      long kept,
      long truncated,
      long split,
      SortedMap<String, Long> bad,
      SortedMap<String, Long> dropped) {}

  /**
   * One split.
   *
   * @param tokens without padding
   * @param targetTokens the tokens that are learned
   * @param largestTokenId -1 for a split without tokens
   * @param packingEfficiency tokens over sequences times {@code max_length}
   * @param files in reading order
   */
  public record Part(
      long sequences,
      long rows,
      long tokens,
      long targetTokens,
      int largestTokenId,
      double packingEfficiency,
      List<PartFile> files) {}

  /**
   * An Arrow file in the folder of the data set.
   *
   * @param sha256 of its content, 64 hexadecimal digits; null in data sets of earlier versions
   */
  public record PartFile(String name, long sequences, long bytes, String sha256)
      implements Serializable {}

  public Part part(Split split) {
    return split == Split.TRAIN ? train : eval;
  }

  /** The largest token id of both splits, for which the model needs an embedding. */
  public int largestTokenId() {
    return Math.max(train.largestTokenId(), eval.largestTokenId());
  }

  /**
   * Stands for what training reads, wherever it lies and whatever it was made from: a digest of
   * tokenizer, template and every Arrow file.
   *
   * @return 64 hexadecimal digits
   */
  public String sha256() {
    Sha256 sha256 = new Sha256();
    sha256.addLine(schemaVersion, tokenizerSha256, templateSha256);
    for (Split split : Split.values()) {
      for (PartFile file : part(split).files()) {
        sha256.addLine(split, file.name(), file.sequences(), file.bytes(), file.sha256());
      }
    }
    return sha256.hex();
  }

  /**
   * Makes sure that a tokenizer is that of the data set.
   *
   * @param location how to name the tokenizer
   * @throws InvalidDataException if it is another
   */
  public void requireTokenizer(ChatTokenizer tokenizer, String location) {
    if (tokenizerSha256 != null && !tokenizerSha256.equals(tokenizer.tokenizerSha256())) {
      throw new InvalidDataException(
          "The data set was prepared with another tokenizer than '"
              + location
              + "': name the one it was prepared with, or prepare it again.");
    }
  }

  /**
   * Reads the manifest of a data set.
   *
   * @throws InvalidDataException if the data set is incomplete or of another version
   */
  public static DatasetManifest read(String datasetUri, Storage storage) {
    String location = datasetUri + "/" + FILE_NAME;
    try (InputStream in = storage.open(location)) {
      DatasetManifest manifest = JSON.readValue(in.readAllBytes(), DatasetManifest.class);
      if (manifest == null) {
        throw noManifest(location, null);
      }
      if (manifest.schemaVersion != SCHEMA_VERSION) {
        throw new InvalidDataException(
            "'"
                + location
                + "' has schema version "
                + manifest.schemaVersion
                + ", but this build reads "
                + SCHEMA_VERSION
                + ": prepare the data set again.");
      }
      manifest.requireSound(location);
      return manifest;
    } catch (FileNotFoundException e) {
      throw new InvalidDataException(
          "'" + datasetUri + "' holds no complete data set: prepare it first.", e);
    } catch (JsonProcessingException e) {
      throw noManifest(location, e);
    } catch (IOException | IllegalArgumentException e) {
      throw new InvalidDataException(Storage.cannotRead(location, e), e);
    }
  }

  private static InvalidDataException noManifest(String location, Exception cause) {
    return new InvalidDataException(
        "'" + location + "' is not a data set's manifest: prepare the data set again.", cause);
  }

  private void requireSound(String location) {
    if (spec == null || rows == null) {
      throw noManifest(location, null);
    }
    for (Split split : Split.values()) {
      Part part = part(split);
      if (part == null || part.files() == null) {
        throw noManifest(location, null);
      }
      for (PartFile file : part.files()) {
        requireSound(file);
      }
      long sequences = part.files().stream().mapToLong(PartFile::sequences).sum();
      if (sequences != part.sequences()) {
        throw new IllegalArgumentException(
            "it counts %s sequences, and %s in its files".formatted(part.sequences(), sequences));
      }
      if (part.rows() < 0 || part.targetTokens() < 0 || part.targetTokens() > part.tokens()) {
        throw new IllegalArgumentException("the numbers of a split are absurd");
      }
    }
    if (tokenLengths != null
        && tokenLengths.entrySet().stream()
            .anyMatch(l -> l.getKey() < 1 || l.getValue() == null || l.getValue() < 0)) {
      throw new IllegalArgumentException("its token_lengths are absurd");
    }
    // of a row that is split, every piece counts
    if (rows.split() == 0 && rows.kept() != train.rows() + eval.rows()) {
      throw new IllegalArgumentException(
          "it counts %s rows, and %s in its splits"
              .formatted(rows.kept(), train.rows() + eval.rows()));
    }
  }

  /** Makes sure that a file is one of the data set's own folder. */
  private static void requireSound(PartFile file) {
    if (file == null || file.name() == null || !FILE.matcher(file.name()).matches()) {
      throw new IllegalArgumentException(
          "it names the file '%s'".formatted(file == null ? null : file.name()));
    }
    if (file.sequences() < 0 || file.sequences() > MAX_SEQUENCES || file.bytes() < 0) {
      throw new IllegalArgumentException("the numbers of '%s' are absurd".formatted(file.name()));
    }
  }

  /** Writes the manifest, which makes the data set complete. */
  public void write(String datasetUri, Storage storage) throws IOException {
    byte[] json = (JSON.writeValueAsString(this) + "\n").getBytes(StandardCharsets.UTF_8);
    storage.write(datasetUri + "/" + FILE_NAME, out -> out.write(json));
  }
}
