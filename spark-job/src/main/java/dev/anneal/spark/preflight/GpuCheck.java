package dev.anneal.spark.preflight;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.training.cuda.Gpu;
import dev.anneal.training.cuda.GpuException;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.trainer.FullTuningMemory;
import dev.anneal.training.trainer.TrainingSpec;
import java.util.List;
import org.apache.spark.SparkConf;

/** Whether there are the GPUs that a run asks for, as far as the driver can tell. */
public final class GpuCheck {
  private static final String ASSIGNED = "spark.executor.resource.gpu.amount";

  private GpuCheck() {}

  /**
   * Checks it.
   *
   * @throws BadRequestException if not
   */
  public static void check(AnnealConfig config, SparkConf conf) {
    int gpus = config.cluster().gpusPerNode();
    if (gpus == 0) {
      return;
    }
    if (conf.contains(ASSIGNED) && conf.getInt(ASSIGNED, 0) < gpus) {
      throw new BadRequestException(
          "cluster.gpus_per_node is %s, but %s is %s: set both to the GPUs of an executor."
              .formatted(gpus, ASSIGNED, conf.getInt(ASSIGNED, 0)));
    }
    if (Gpus.build() == Gpus.Build.CPU) {
      throw new BadRequestException(
          "cluster.gpus_per_node is %s, but only the libraries for CPUs are here: add --gpu to ./submit.sh to use those for GPUs, or set cluster.gpus_per_node=0."
              .formatted(gpus));
    }
    if (Slots.isOneMachine(conf)) {
      requireHere(config.cluster().nodes() * gpus);
    }
  }

  /**
   * Checks whether a model all of whose weights train fits the GPUs, where the driver sees them.
   *
   * @throws BadRequestException if not
   */
  static void checkFits(AnnealConfig config, LlamaConfig shape, SparkConf conf) {
    boolean full = config.training().mode() == TrainingSpec.Mode.FULL;
    int gpus = config.cluster().nodes() * config.cluster().gpusPerNode();
    if (full && gpus > 0 && Slots.isOneMachine(conf)) {
      requireFits(config, shape, requireHere(gpus));
    }
  }

  /** Checks it of the first of {@code gpus}, which the run takes. */
  static void requireFits(AnnealConfig config, LlamaConfig shape, List<Gpu> gpus) {
    int taken = config.cluster().nodes() * config.cluster().gpusPerNode();
    long smallest = gpus.stream().limit(taken).mapToLong(Gpu::memoryBytes).min().orElse(0);
    FullTuningMemory.lacking(shape, config.compute().dtype(), taken, smallest)
        .ifPresent(
            sentence -> {
              throw new BadRequestException(sentence);
            });
  }

  /** Every process of the cluster runs on this machine, so its GPUs are those of the run. */
  static List<Gpu> requireHere(int gpus) {
    try {
      return Gpus.find(gpus);
    } catch (GpuException e) {
      throw new BadRequestException(e.getMessage(), e);
    }
  }
}
