package dev.anneal.training.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.anneal.training.kernel.LowRankProduct.Form;
import dev.anneal.training.kernel.LowRankProduct.Memory;
import dev.anneal.training.kernel.LowRankProduct.Range;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What the kernel of products with adapters is told, without a GPU. */
class ProductStructTest {
  private static final Pattern FIELDS =
      Pattern.compile("(?m)^ *(?:const )?(TensorMap|float|int) ([^;()]+);");

  private record Encoded(int at, Memory memory, boolean fp8, int columns, int rows) {}

  private final List<Encoded> encoded = new ArrayList<>();

  private ByteBuffer set(LowRankProduct product) {
    ProductStruct struct = new ProductStruct();
    struct.set(
        product,
        (at, memory, fp8, columns, rows) ->
            encoded.add(new Encoded(at, memory, fp8, columns, rows)));
    return struct.bytes();
  }

  @Test
  void fieldsLieWhereTheSourceHasThem() {
    Memory low = memory(4, 300, 64);
    LowRankProduct product =
        new LowRankProduct(
            new Form(true, false, false),
            memory(1, 300, 1040),
            memory(2, 1536, 1040),
            memory(3, 300, 1536),
            1L << 40,
            3L << 41,
            List.of(
                new Range(0, low, memory(5, 512, 64), 0.5),
                Range.without(512),
                new Range(1024, memory(6, 300, 8), memory(7, 512, 8), 2)));
    ByteBuffer bytes = set(product);
    Map<String, Integer> fields = fields();

    assertThat(bytes.getLong(fields.get("leftScale"))).isEqualTo(1L << 40);
    assertThat(bytes.getLong(fields.get("rightScale"))).isEqualTo(3L << 41);
    assertThat(bytes.getInt(fields.get("m"))).isEqualTo(300);
    assertThat(bytes.getInt(fields.get("n"))).isEqualTo(1536);
    assertThat(bytes.getInt(fields.get("k"))).isEqualTo(1040);
    assertThat(bytes.getInt(fields.get("band"))).isEqualTo(16);
    assertThat(bytes.getInt(fields.get("modules"))).isEqualTo(3);
    int[] begin = {0, 512, 1024};
    int[] rank = {64, 0, 8};
    for (int i = 0; i < 3; i++) {
      assertThat(bytes.getInt(fields.get("begin") + 4 * i)).isEqualTo(begin[i]);
      assertThat(bytes.getInt(fields.get("rank") + 4 * i)).isEqualTo(rank[i]);
    }
    assertThat(bytes.getFloat(fields.get("scale"))).isEqualTo(0.5f);
    assertThat(bytes.getFloat(fields.get("scale") + 8)).isEqualTo(2);
    int lowAt = fields.get("low");
    int factorAt = fields.get("factor");
    assertThat(encoded)
        .containsExactly(
            new Encoded(fields.get("left"), product.left(), true, 128, 128),
            new Encoded(fields.get("right"), product.right(), true, 128, 128),
            new Encoded(fields.get("result"), product.result(), false, 64, 64),
            new Encoded(lowAt, low, false, 64, 128),
            new Encoded(factorAt, product.ranges().get(0).factor(), false, 64, 128),
            new Encoded(lowAt + 256, product.ranges().get(2).low(), false, 64, 128),
            new Encoded(factorAt + 256, product.ranges().get(2).factor(), false, 64, 128));
    assertThat(ProductStruct.BYTES).isEqualTo((fields.get("end") + 63) / 64 * 64);
    assertThat(bytes.capacity()).isGreaterThanOrEqualTo(ProductStruct.BYTES);
    assertThat(bytes.alignmentOffset(0, 64)).isZero();
  }

  @Test
  void blocksOfFactorsThatLieByColumnsAreSquare() {
    LowRankProduct product =
        new LowRankProduct(
            new Form(false, true, true),
            memory(1, 300, 512),
            memory(2, 512, 1040),
            memory(3, 300, 1040),
            0,
            0,
            List.of(new Range(0, memory(4, 300, 192), memory(5, 192, 1040), 1)));
    set(product);
    assertThat(encoded)
        .extracting(each -> List.of(each.fp8(), each.columns(), each.rows()))
        .containsExactly(
            List.of(false, 64, 128),
            List.of(false, 64, 64),
            List.of(false, 64, 64),
            List.of(false, 64, 128),
            List.of(false, 64, 64));
  }

  @Test
  void blocksAreAsManyAsRunAtOnceAndNoMoreThanTiles() {
    assertThat(LowRankKernel.blocks(4096, 6144, 132)).isEqualTo(132);
    assertThat(LowRankKernel.blocks(4096, 6144, 131)).isEqualTo(130);
    // 2 pairs of rows, 5 columns
    assertThat(LowRankKernel.blocks(257, 1040, 132)).isEqualTo(20);
    assertThat(LowRankKernel.SHARED_BYTES).isEqualTo(231_488);
  }

  @Test
  void itIsCompiledForHopperAlone() {
    KernelVariant variant = LowRankKernel.variant(new Form(false, true, false));
    assertThat(variant.architecture(90)).isEqualTo("sm_90a");
    assertThat(variant.definitions())
        .containsExactly("-DFP8=0", "-DRIGHT_BY_COLUMNS=1", "-DFACTOR_BY_COLUMNS=0");
    assertThat(variant.text()).contains("low_rank_product(");
    assertThat(new KernelVariant("rms_norm", List.of()).architecture(90)).isEqualTo("sm_90");
  }

  private static Memory memory(long address, long rows, long columns) {
    return new Memory(address << 12, rows, columns, columns);
  }

  /** Where C lays the fields of the source's struct, by name, and {@code end}. */
  private static Map<String, Integer> fields() {
    String text = KernelVariant.resource("low_rank_product.cu");
    int begin = text.indexOf("struct Product {");
    Matcher fields = FIELDS.matcher(text.substring(begin, text.indexOf("__device__", begin)));
    Map<String, Integer> offsets = new LinkedHashMap<>();
    int end = 0;
    while (fields.find()) {
      for (String name : List.of(fields.group(2).split(", ", -1))) {
        int size = name.startsWith("*") ? 8 : fields.group(1).equals("TensorMap") ? 128 : 4;
        int aligned = Math.min(size, 64);
        end = (end + aligned - 1) / aligned * aligned;
        offsets.put(name.replace("*", "").replace("[MODULES]", ""), end);
        end += name.endsWith("[MODULES]") ? size * LowRankKernel.MODULES : size;
      }
    }
    assertThat(text).contains("MODULES = %s;".formatted(LowRankKernel.MODULES));
    offsets.put("end", end);
    return offsets;
  }
}
