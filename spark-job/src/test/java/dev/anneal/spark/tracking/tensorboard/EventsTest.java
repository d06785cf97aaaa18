package dev.anneal.spark.tracking.tensorboard;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Held against what tensorboard 2.21.0 and its protobuf classes write for the same. */
class EventsTest {
  private static final long MILLIS = 1500;

  @Test
  void numbersAreAsTensorBoardWritesThem() {
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("loss", 0.25);
    values.put("epoch", 1.0);
    assertThat(hex(Events.scalars(MILLIS, 300, values)))
        .isEqualTo(
            "09000000000000f83f10ac022a1b0a0b0a046c6f7373150000803e0a0c0a0565706f6368150000803f");
  }

  @Test
  void versionStartAndTextAreAsTensorBoardWritesThem() {
    assertThat(hex(Events.version(MILLIS)))
        .isEqualTo("09000000000000f83f1a0d627261696e2e4576656e743a32");
    assertThat(hex(Events.start(MILLIS, 7))).isEqualTo("09000000000000f83f10073a020801");
    assertThat(hex(Events.text(MILLIS, "t", "x")))
        .isEqualTo("09000000000000f83f2a180a160a01744207080712004201784a080a060a0474657874");
  }

  @Test
  void aRecordIsFramedAsTensorBoardFramesIt() {
    assertThat(hex(Records.framed("abc".getBytes(UTF_8))))
        .isEqualTo("0300000000000000b099490e6162636e57f121");
  }

  @Test
  void readsItsOwnNumbersBack() {
    byte[] event = Events.scalars(1_700_000_000_123L, 1L << 33, Map.of("eval_loss", 2.0));
    assertThat(Events.read(event))
        .contains(new Events.Read(1_700_000_000_123L, 1L << 33, "eval_loss"));
    assertThat(Events.read(Events.version(MILLIS))).isEmpty();
    assertThat(Events.read(Events.start(MILLIS, 3))).isEmpty();
    assertThat(Events.read("no event at all".getBytes(UTF_8))).isEmpty();
  }

  @Test
  void readsRecordsUpToOneThatIsCutOffOrDamaged() throws IOException {
    byte[] first = Records.framed("first".getBytes(UTF_8));
    byte[] second = Records.framed("second".getBytes(UTF_8));
    byte[] both = Arrays.copyOf(first, first.length + second.length);
    System.arraycopy(second, 0, both, first.length, second.length);
    assertThat(read(both)).isEqualTo("first second ");
    assertThat(read(Arrays.copyOf(both, both.length - 1))).isEqualTo("first ");
    assertThat(read(Arrays.copyOf(both, first.length + 3))).isEqualTo("first ");
    both[first.length + 13] = (byte) (both[first.length + 13] ^ 1);
    assertThat(read(both)).isEqualTo("first ");
  }

  private static String read(byte[] file) throws IOException {
    InputStream in = new ByteArrayInputStream(file);
    StringBuilder read = new StringBuilder();
    for (byte[] record = Records.next(in); record != null; record = Records.next(in)) {
      read.append(new String(record, UTF_8)).append(' ');
    }
    return read.toString();
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }
}
