package dev.anneal.training.lora;

/** What an adapter does with its module's weight beside adding to it. */
public enum LoraVariant {
  /** Nothing: <a href="https://arxiv.org/abs/2106.09685">Hu et al. 2021</a>. */
  PLAIN,
  /**
   * Every row of the sum has a length that is trained, whatever its direction ({@link
   * dev.anneal.training.model.Dora}).
   */
  DORA
}
