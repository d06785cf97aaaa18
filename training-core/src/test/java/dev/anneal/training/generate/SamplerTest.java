package dev.anneal.training.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.anneal.training.InTensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.assertj.core.data.Offset;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Known probabilities, computed by hand as transformers defines its processors of logits. */
@ExtendWith(InTensorScope.class)
class SamplerTest {
  private static final Offset<Double> EXACT = within(1e-6);
  private static final double[] PROBABILITIES = {0.5, 0.3, 0.15, 0.05};

  @ParameterizedTest
  @CsvSource({
    // temperature, top_k, top_p, and what is left of 0.5, 0.3, 0.15, 0.05
    "1, 0, 1, 0.5 0.3 0.15 0.05",
    "1, 4, 1, 0.5 0.3 0.15 0.05",
    "1, 9, 1, 0.5 0.3 0.15 0.05",
    "1, 2, 1, 0.625 0.375 0 0",
    "1, 1, 1, 1 0 0 0",
    "1, 0, 0.7, 0.625 0.375 0 0",
    "1, 0, 0.45, 1 0 0 0",
    "1, 0, 0, 1 0 0 0",
    "1, 0, 0.9, 0.526315789 0.315789474 0.157894737 0",
    // squares over their sum, 0.365
    "0.5, 0, 1, 0.684931507 0.246575342 0.061643836 0.006849315",
    // the temperature comes before top_p: of the squares the first two reach 0.7
    "0.5, 0, 0.7, 0.735294118 0.264705882 0 0",
    // top_k comes before top_p: of 0.625 and 0.375 the first reaches 0.6
    "1, 2, 0.6, 1 0 0 0",
    "1, 3, 0.6, 0.625 0.375 0 0"
  })
  void whatIsDrawnFrom(double temperature, int topK, double topP, String expected) {
    Sampler sampler = new Sampler(new Sampling(temperature, topK, topP, 1, 0));
    double[] found = row(sampler.probabilities(logits(PROBABILITIES)));
    assertThat(found).containsExactly(numbers(expected), EXACT);
  }

  @Test
  void equalsOfTheKthStay() {
    Tensor scores = rows(new double[] {1, 2, 2, 0});
    assertThat(row(new Sampler(new Sampling(1, 1, 1, 1, 0)).probabilities(scores)))
        .containsExactly(new double[] {0, 0.5, 0.5, 0}, EXACT);
  }

  @Test
  void equalsOfTheLastThatTopPLeavesStay() {
    Tensor scores = rows(new double[] {2, 2, 2, 2}, new double[] {2, 2, 2, 2});
    Tensor found = new Sampler(new Sampling(1, 0, 0.3, 1, 0)).probabilities(scores);
    assertThat(row(found.select(0, 1)))
        .containsExactly(new double[] {0.25, 0.25, 0.25, 0.25}, EXACT);
  }

  @Test
  void penaltyDividesWhatIsPositiveAndMultipliesTheRest() {
    Sampler sampler = new Sampler(new Sampling(0, 0, 1, 2, 0));
    Tensor logits = rows(new double[] {1, -1, 0.5, 3, 0}, new double[] {1, -1, 0.5, 3, 0});
    Tensor scores = sampler.penalized(logits, List.of(sequence(0, 0, 1, 0, 4), sequence(1, 3)));
    assertThat(row(scores.select(0, 0))).containsExactly(new double[] {0.5, -2, 0.5, 3, 0}, EXACT);
    assertThat(row(scores.select(0, 1))).containsExactly(new double[] {1, -1, 0.5, 1.5, 0}, EXACT);
    // the logits are not touched
    assertThat(row(logits.select(0, 0))).containsExactly(new double[] {1, -1, 0.5, 3, 0}, EXACT);
  }

  @Test
  void penaltyCountsWhereTheLikeliestIsTaken() {
    Tensor logits = rows(new double[] {1, 2, 3}, new double[] {1, 2, 3});
    Sampler sampler = new Sampler(new Sampling(0, 0, 1, 2, 0));
    Tensor next = sampler.next(logits, List.of(sequence(0, 2), sequence(1, 0, 1)));
    assertThat(Tensors.doubles(next)).containsExactly(1, 2, 3, 3);
  }

  @Test
  void drawsFollowTheProbabilities() {
    int draws = 40_000;
    int[] counts = new int[PROBABILITIES.length];
    List<Sequence> sequences = new ArrayList<>();
    for (int i = 0; i < draws; i++) {
      sequences.add(sequence(i, 1));
    }
    Tensor logits = logits(PROBABILITIES).expand(draws, -1).contiguous();
    Tensor next = new Sampler(new Sampling(1, 0, 1, 1, 42)).next(logits, sequences);
    double[] ids = Tensors.doubles(next);
    for (int i = 0; i < draws; i++) {
      counts[(int) ids[i]]++;
    }
    double chiSquare = 0;
    for (int id = 0; id < counts.length; id++) {
      double expected = draws * PROBABILITIES[id];
      chiSquare += (counts[id] - expected) * (counts[id] - expected) / expected;
    }
    System.out.printf("draws %s, chi square %.2f%n", Arrays.toString(counts), chiSquare);
    // beyond 16.3 in one of a thousand cases
    assertThat(chiSquare).isLessThan(16.3);
  }

  @Test
  void drawsOfOneSequenceFollowTheProbabilitiesToo() {
    int draws = 4_000;
    Sampler sampler = new Sampler(new Sampling(1, 0, 0.9, 1, 1));
    Sequence sequence = sequence(5, 1);
    int[] counts = new int[PROBABILITIES.length];
    Tensor logits = logits(PROBABILITIES);
    for (int i = 0; i < draws; i++) {
      int id = (int) Tensors.doubles(sampler.next(logits, List.of(sequence)))[0];
      counts[id]++;
      sequence.append(id);
    }
    assertThat(counts[3]).isZero();
    for (int id = 0; id < 3; id++) {
      // four standard deviations
      double p = PROBABILITIES[id] / 0.95;
      assertThat((double) counts[id])
          .isCloseTo(draws * p, within(4 * Math.sqrt(draws * p * (1 - p))));
    }
  }

  @Test
  void tokensThatAreOutOfTheQuestionAreNeverDrawn() {
    double[] scores = new double[50];
    Arrays.fill(scores, Double.NEGATIVE_INFINITY);
    scores[17] = 0;
    List<Sequence> sequences = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      sequences.add(sequence(i, 1));
    }
    Tensor logits = rows(scores).expand(500, -1).contiguous();
    double[] ids =
        Tensors.doubles(new Sampler(new Sampling(1, 0, 1, 1, 9)).next(logits, sequences));
    assertThat(Arrays.copyOf(ids, 500)).containsOnly(17);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "-1|0|1|1|temperature is -1.0, but must be 0, which is greedy, or more.",
        "NaN|0|1|1|temperature is NaN, but must be 0, which is greedy, or more.",
        "1|-1|1|1|top_k is -1, but must be 0, which is all, or more.",
        "1|0|1.5|1|top_p is 1.5, but must be from 0 to 1.",
        "1|0|1|0|repetition_penalty is 0.0, but must be more than 0; 1 is none."
      })
  void refusesWhatIsOutOfRange(
      double temperature, int topK, double topP, double penalty, String sentence) {
    assertThatThrownBy(() -> new Sampling(temperature, topK, topP, penalty, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(sentence);
  }

  private static Sequence sequence(long index, int... ids) {
    return new Sequence(new Prompt(index, ids), 1000, token -> false);
  }

  private static Tensor logits(double... probabilities) {
    return rows(Arrays.stream(probabilities).map(Math::log).toArray());
  }

  private static Tensor rows(double[]... rows) {
    Tensor[] tensors = new Tensor[rows.length];
    for (int i = 0; i < rows.length; i++) {
      tensors[i] = Tensors.of(rows[i]).to(ScalarType.Float).unsqueeze(0);
    }
    return Tensors.cat(tensors);
  }

  private static double[] row(Tensor tensor) {
    return Tensors.doubles(tensor.to(ScalarType.Double).contiguous());
  }

  private static double[] numbers(String text) {
    return Arrays.stream(text.split(" ", -1)).mapToDouble(Double::parseDouble).toArray();
  }
}
