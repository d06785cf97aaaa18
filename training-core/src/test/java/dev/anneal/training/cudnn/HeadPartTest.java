package dev.anneal.training.cudnn;

import static dev.anneal.training.cudnn.AttentionOperand.DELTA;
import static dev.anneal.training.cudnn.AttentionOperand.D_KEY;
import static dev.anneal.training.cudnn.AttentionOperand.D_KEY_HEADS;
import static dev.anneal.training.cudnn.AttentionOperand.KEY;
import static dev.anneal.training.cudnn.AttentionOperand.QUERY;
import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.cudnn.AttentionShape.Strides;
import java.util.Map;
import org.junit.jupiter.api.Test;

class HeadPartTest {
  @Test
  void aPartBeginsAtItsFirstHead() {
    AttentionShape whole =
        new AttentionShape(1, 128, 32, 8, 128, new Strides(6144, 6144, 4096, 1024, 32));
    Map<AttentionOperand, Long> operands =
        Map.of(QUERY, 1000L, KEY, 2000L, D_KEY, 3000L, DELTA, 4000L, D_KEY_HEADS, 5000L);
    assertThat(new HeadPart(0, 4).addresses(operands, whole)).isEqualTo(operands);
    // the third of four: heads 16 to 23 of queries, 4 and 5 of keys
    assertThat(new HeadPart(2, 4).addresses(operands, whole))
        .isEqualTo(
            Map.of(
                QUERY, 1000L + 16 * 128 * 2,
                KEY, 2000L + 4 * 128 * 2,
                D_KEY, 3000L + 4 * 128 * 2,
                DELTA, 4000L + 16 * 4,
                D_KEY_HEADS, 5000L));
  }
}
