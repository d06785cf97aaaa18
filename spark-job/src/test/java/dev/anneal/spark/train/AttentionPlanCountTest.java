package dev.anneal.spark.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.anneal.data.format.BadRowException;
import dev.anneal.data.format.LearnedPart;
import dev.anneal.data.format.RowFormat;
import dev.anneal.data.format.RowTokenizer;
import dev.anneal.data.format.TokenizedRow;
import dev.anneal.data.prep.Packer;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.storage.Storage;
import dev.anneal.training.cudnn.AttentionPlans;
import dev.anneal.training.cudnn.RowGroup;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * How many plans of attention an epoch of real rows asks for: as many as are kept, or the rank
 * would make them again and again.
 */
class AttentionPlanCountTest {
  private static final Path DATA = Path.of(System.getProperty("anneal.shared"), "data");
  private static final int[] MICRO_BATCHES = {1, 2, 3, 4, 6, 8, 12, 16};

  /** Those of 8B, 70B and 405B, on 8 heads of keys each. */
  private static final int[] HEADS = {32, 64, 128};

  private static final RowGroup.Room ROOM = new RowGroup.Room(1L << 30, 8L << 30);

  private static final List<TokenizedRow> ROWS = new ArrayList<>();

  /** What plans are kept by, beside what is the same for a whole run. */
  private record Key(String direction, int rows, int longest, int headParts) {
    static Key of(String direction, RowGroup group) {
      return new Key(direction, group.rowBucket(), group.longest(), group.headParts());
    }
  }

  @BeforeAll
  static void tokenize() throws IOException, BadRowException {
    Path rows = DATA.resolve("alpaca_random_9k.json");
    assumeTrue(Files.exists(rows) || System.getenv("CI") != null, () -> rows + " is not there");
    try (ChatTokenizer tokenizer =
        ChatTokenizer.load(
            DATA.resolve("llama31-tokenizer").toString(), new Storage(new Configuration()))) {
      RowTokenizer tokenize = new RowTokenizer(tokenizer, LearnedPart.ANSWERS);
      for (JsonNode row : new ObjectMapper().readTree(rows.toFile())) {
        if (!row.get("output").textValue().isBlank()) {
          ROWS.add(tokenize.tokenize(RowFormat.ALPACA.parse(row)));
        }
      }
    }
    Collections.shuffle(ROWS, new Random(1));
  }

  @Test
  void rowsThatAreNotPackedAskForFew() {
    List<List<TokenizedRow>> sequences = ROWS.stream().map(List::of).toList();
    assertThat(most("not packed", sequences)).isLessThanOrEqualTo(16);
  }

  @Test
  void packedRowsAskForNoMoreThanAreKept() {
    for (int maxLength : new int[] {1024, 2048, 4096}) {
      List<List<TokenizedRow>> sequences = new ArrayList<>(Packer.pack(ROWS, maxLength));
      Collections.shuffle(sequences, new Random(2));
      assertThat(most("packed to " + maxLength, sequences)).isLessThan(AttentionPlans.MOST);
    }
  }

  /** The most distinct plans of an epoch, over models and micro-batches. */
  private static int most(String what, List<List<TokenizedRow>> sequences) {
    int most = 0;
    for (int heads : HEADS) {
      List<Integer> counts = new ArrayList<>();
      for (int microBatch : MICRO_BATCHES) {
        counts.add(plans(sequences, microBatch, heads).size());
      }
      System.out.printf("plans of attention in an epoch, %s, %s heads: %s%n", what, heads, counts);
      most = Math.max(most, Collections.max(counts));
    }
    return most;
  }

  private static Set<Key> plans(List<List<TokenizedRow>> sequences, int microBatch, int heads) {
    Set<Key> plans = new HashSet<>();
    for (int at = 0; at + microBatch <= sequences.size(); at += microBatch) {
      int[] lengths =
          sequences.subList(at, at + microBatch).stream()
              .flatMap(List::stream)
              .mapToInt(TokenizedRow::length)
              .toArray();
      plans.add(Key.of("forward", RowGroup.all(lengths)));
      RowGroup.within(ROOM, lengths, heads, 8)
          .forEach(group -> plans.add(Key.of("backward", group)));
    }
    return plans;
  }
}
