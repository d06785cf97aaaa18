package dev.anneal.spark.preflight;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.error.LateRefusalException;
import dev.anneal.spark.BadRequestException;
import java.util.function.Supplier;

/** The rows to evaluate on are prepared as those to learn from, and refused in the same words. */
public final class EvalSource {
  private EvalSource() {}

  /**
   * Does it.
   *
   * @throws InvalidDataException as {@code work} does, but naming {@code data.eval_source}
   * @throws BadRequestException likewise
   */
  public static <T> T named(Supplier<T> work) {
    try {
      return work.get();
    } catch (LateRefusalException e) {
      throw new LateRefusalException(renamed(e), e);
    } catch (InvalidDataException e) {
      throw new InvalidDataException(renamed(e), e);
    } catch (BadRequestException e) {
      throw new BadRequestException(renamed(e), e);
    }
  }

  private static String renamed(RuntimeException e) {
    return e.getMessage().replace("data.source", "data.eval_source");
  }
}
