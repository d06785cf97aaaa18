package dev.anneal.training.trainer;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.cuda.GpuMath;
import dev.anneal.training.generate.InvalidPromptException;
import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.tensor.NativeErrors;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.tensor.TensorScope;
import java.io.IOException;

/** What a rank does with a model that does not train, and how its failures are told. */
final class Inference {
  private Inference() {}

  /** Work with a device's kernels, in a tensor scope of its own. */
  interface Work<T> {
    T run(Kernels kernels) throws IOException;
  }

  /**
   * Does it on this rank's device, the same bits every time.
   *
   * @param fewer what to take fewer of where memory runs out
   * @throws TrainingException if a native call, a peer or a file fails; names the rank
   * @throws InvalidModelException as the work does
   * @throws InvalidPromptException as the work does
   * @throws TrainingCancelled as the work does
   */
  static <T> T run(Ranks ranks, String fewer, Work<T> work) {
    NativeLibraries.load();
    if (ranks.device().isGpu()) {
      GpuMath.deterministic();
    }
    try (TensorScope scope = new TensorScope();
        Kernels kernels = Kernels.on(ranks.device())) {
      return work.run(kernels);
    } catch (TrainingException
        | TrainingCancelled
        | InvalidModelException
        | InvalidPromptException e) {
      throw e;
    } catch (RuntimeException | IOException e) {
      throw new TrainingException(
          "rank %s, %s"
              .formatted(
                  ranks.rank(),
                  OutOfMemory.caused(e)
                      ? "%s is out of memory: take fewer %s, or hold the weights in fp8, split or offloaded (base_weights)."
                          .formatted(ranks.device(), fewer)
                      : NativeErrors.firstLine(e)),
          e);
    }
  }
}
