package dev.anneal.spark.train;

import com.sun.management.OperatingSystemMXBean;
import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.arrow.PreparedSequence;
import dev.anneal.data.arrow.Split;
import dev.anneal.data.io.Storage;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.progress.RankChannel;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.RunOutputFolder;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.trainer.Ranks;
import dev.anneal.training.trainer.TrainingCancelled;
import dev.anneal.training.trainer.TrainingRun;
import dev.anneal.training.trainer.TrainingSpec;
import java.io.IOException;
import java.io.Serializable;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.SparkEnv;

/** What one barrier task does: it is one rank of the run. */
final class RankTask implements Serializable {
  private static final long serialVersionUID = 1L;

  private final AnnealConfig config;
  private final RunFolder folder;

  RankTask(AnnealConfig config, RunFolder folder) {
    this.config = config;
    this.folder = folder;
  }

  /** Runs this task's rank; returns its number. */
  int run() {
    BarrierTaskContext context = BarrierTaskContext.get();
    int rank = context.partitionId();
    String host = Rendezvous.host(context);
    RankChannel.send(started(rank, host));
    Duration timeout = Duration.ofSeconds(config.cluster().timeout());
    Rendezvous rendezvous = reporting(rank, host, () -> Rendezvous.join(context, timeout));
    try (rendezvous) {
      reporting(rank, host, () -> train(rendezvous, new RankListener(rank, context)));
    }
    if (rank == 0) {
      // its answer comes behind everything that was sent before
      RankChannel.deliver(new RankEvent.Done());
    }
    return rank;
  }

  /** Reports a failure before this rank leaves its peers, so that the cause comes first. */
  private static <T> T reporting(int rank, String host, Callable<T> work) {
    try {
      return work.call();
    } catch (Throwable e) {
      report(rank, host, e);
      throw e instanceof RuntimeException unchecked ? unchecked : new IllegalStateException(e);
    }
  }

  private Void train(Rendezvous rendezvous, RankListener listener) throws IOException {
    Storage storage = folder.storage();
    String datasetUri = folder.child(RunFolder.DATASET);
    try (PreparedDataset train = PreparedDataset.open(datasetUri, Split.TRAIN, storage);
        PreparedDataset eval = PreparedDataset.open(datasetUri, Split.EVAL, storage)) {
      TrainingSpec spec = Specs.training(config, train.size());
      ModelLocation model = ModelLocation.of(config.model().path());
      TrainingRun.Inputs inputs =
          new TrainingRun.Inputs(
              model.open(storage, spec.seed()),
              initAdapter(storage),
              new PreparedSequenceSource(train),
              eval.size() == 0 ? null : new PreparedSequenceSource(eval),
              samplePrompts(eval),
              model.display(),
              new RunOutputFolder(folder, resultFolder(spec)));
      TrainingRun.run(spec, inputs, Ranks.onCpu(rendezvous.collectives()), listener);
    }
    return null;
  }

  private ModelFolder initAdapter(Storage storage) {
    String location = config.lora().initFrom();
    return location == null ? null : new StorageModelFolder(location, storage);
  }

  /** The prompts of the first held-out rows: what stands before the first learned token. */
  private List<int[]> samplePrompts(PreparedDataset eval) {
    List<int[]> prompts = new ArrayList<>();
    for (long i = 0; i < Math.min(config.evaluation().sampleRows(), eval.size()); i++) {
      PreparedSequence row = eval.read(i);
      prompts.add(Arrays.copyOf(row.inputIds(), row.targetSpans()[0]));
    }
    return prompts;
  }

  private static String resultFolder(TrainingSpec spec) {
    return switch (spec.mode()) {
      case LORA -> RunFolder.ADAPTER;
      case FULL -> RunFolder.MODEL;
    };
  }

  private static RankEvent.Started started(int rank, String host) {
    OperatingSystemMXBean os = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return new RankEvent.Started(
        rank,
        host,
        SparkEnv.get().executorId(),
        ProcessHandle.current().pid(),
        os.getAvailableProcessors(),
        os.getTotalMemorySize(),
        os.getName() + " " + os.getVersion() + " " + os.getArch());
  }

  private static void report(int rank, String host, Throwable failure) {
    if (failure instanceof TrainingCancelled) {
      return;
    }
    try {
      RankChannel.deliver(RankFailure.event(rank, host, failure));
    } catch (RuntimeException undelivered) {
      failure.addSuppressed(undelivered);
    }
  }
}
