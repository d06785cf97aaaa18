package dev.anneal.training.lora;

import java.io.Serializable;
import java.util.OptionalInt;

/** What an adapter does with its module's weight beside adding to it. */
public sealed interface LoraVariant extends Serializable {
  LoraVariant PLAIN = new Plain();
  LoraVariant DORA = new Dora();

  /** Nothing: <a href="https://arxiv.org/abs/2106.09685">Hu et al. 2021</a>. */
  record Plain() implements LoraVariant {}

  /**
   * Every row of the sum has a length that is trained, whatever its direction ({@link
   * dev.anneal.training.model.Dora}).
   */
  record Dora() implements LoraVariant {}

  /**
   * It begins as the principal part of the weight, which is taken out of it ({@link Pissa}).
   *
   * @param iterations of the subspace that the part is searched in; 0: the whole decomposition
   */
  record Pissa(int iterations) implements LoraVariant {
    private static final String NAME = "pissa";
    private static final String SEARCHED = NAME + "_niter_";

    /** Of what PEFT calls it: {@code pissa}, or {@code pissa_niter_16} with a number. */
    public static OptionalInt iterations(String name) {
      if (name.equals(NAME)) {
        return OptionalInt.of(0);
      }
      String number = name.startsWith(SEARCHED) ? name.substring(SEARCHED.length()) : "";
      return number.matches("[1-9]\\d{0,2}")
          ? OptionalInt.of(Integer.parseInt(number))
          : OptionalInt.empty();
    }
  }
}
