package dev.anneal.spark.train;

import com.sun.management.OperatingSystemMXBean;
import dev.anneal.data.arrow.PreparedDataset;
import dev.anneal.data.arrow.PreparedSequence;
import dev.anneal.data.manifest.DatasetManifest;
import dev.anneal.data.manifest.Split;
import dev.anneal.spark.cluster.BarrierStage;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.profile.ProfileSender;
import dev.anneal.spark.progress.RankChannel;
import dev.anneal.spark.progress.RankEvent;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.RunFolder;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.storage.Storage;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.cuda.Gpu;
import dev.anneal.training.cuda.Gpus;
import dev.anneal.training.io.ModelFolder;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.trainer.TrainingCancelled;
import dev.anneal.training.trainer.TrainingRun;
import dev.anneal.training.trainer.TrainingSpec;
import dev.anneal.training.trainer.TrainingStopped;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.SparkContext$;
import org.apache.spark.SparkEnv;

/** What one barrier task does: it runs the ranks of its node, a thread each. */
public final class NodeTask implements BarrierStage.Task<Integer> {
  private static final long serialVersionUID = 1L;

  private final AnnealConfig config;
  private final Attempt attempt;

  public NodeTask(AnnealConfig config, Attempt attempt) {
    this.config = config.withoutSecrets();
    this.attempt = attempt;
  }

  /** Runs this task's ranks; returns the number of the first. */
  @Override
  public Integer run() {
    BarrierTaskContext context = BarrierTaskContext.get();
    RankChannel channel = RankChannel.connect(attempt.runId(), attempt.id());
    int count = config.worldSize() / config.cluster().nodes();
    int firstRank = context.partitionId() * count;
    String host = BarrierStage.host(context);
    try (NodeHeartbeat heartbeat =
            new NodeHeartbeat(channel, SparkEnv.get().executorId(), timeout());
        GracefulShutdown ending =
            GracefulShutdown.of(() -> toldToEnd(channel, heartbeat, firstRank, host))) {
      run(context, channel, heartbeat, firstRank, count, host);
    }
    return firstRank;
  }

  private void run(
      BarrierTaskContext context,
      RankChannel channel,
      NodeHeartbeat heartbeat,
      int firstRank,
      int count,
      String host) {
    BooleanSupplier cancelling = () -> context.isInterrupted() || heartbeat.mustLeave();
    RankThreads threads =
        new RankThreads(
            cancelling, (rank, failure) -> report(channel, rank, host, failure), RankThreads.GRACE);
    try {
      int gpus = config.cluster().gpusPerNode();
      List<Gpu> seen = gpus == 0 ? List.of() : Gpus.require(gpus);
      Rendezvous rendezvous = Rendezvous.hold(context, config.worldSize(), timeout());
      List<RankPlace> places = RankPlace.of(context, rendezvous, gpus, seen);
      for (int i = 0; i < count; i++) {
        channel.send(started(firstRank + i, host, places.get(i).gpu()));
      }
      AnnealConfig settled;
      try {
        settled = settled(context, channel, NodeMemory.here(host, places));
      } catch (Throwable e) {
        // the ranks that would close it do not come to that
        rendezvous.close();
        throw e;
      }
      threads.run(
          firstRank,
          count,
          (rank, group) ->
              run(
                  settled,
                  rank,
                  places.get(rank - firstRank).device(),
                  host,
                  rendezvous,
                  group,
                  checks ->
                      new RankListener(
                          rank,
                          channel,
                          cancelling,
                          heartbeat,
                          checks,
                          profiles(rank, host, channel))));
    } catch (Throwable e) {
      threads.failed(firstRank, e);
      throw threads.ended(e);
    }
  }

  private ProfileSender profiles(int rank, String host, RankChannel channel) {
    return new ProfileSender(
        rank,
        host,
        config.profile().steps(),
        attempt.result(ProfileSender.folderName()),
        channel::deliver);
  }

  /** Whether the process is not the driver's. */
  static boolean isExecutor() {
    return !SparkContext$.MODULE$.DRIVER_IDENTIFIER().equals(SparkEnv.get().executorId());
  }

  private static void toldToEnd(
      RankChannel channel, NodeHeartbeat heartbeat, int rank, String host) {
    heartbeat.endInGoodOrder();
    channel.send(new RankEvent.ToldToEnd(rank, host));
  }

  private Duration timeout() {
    return Duration.ofSeconds(config.cluster().timeout());
  }

  private void run(
      AnnealConfig settled,
      int rank,
      Device device,
      String host,
      Rendezvous rendezvous,
      RankThreads threads,
      Function<Runnable, RankListener> listener)
      throws IOException {
    if (device.isGpu()) {
      Gpus.bind(device);
    }
    try (RankGroups groups = RankGroups.join(config, rank, device, host, rendezvous, threads)) {
      try {
        train(settled, groups, listener.apply(groups::check));
      } catch (TrainingStopped inGoodOrder) {
        // all ranks leave after the same step, and the driver knows why
      } catch (Throwable e) {
        // before this rank leaves its peers, so that the cause comes first
        threads.failed(rank, e);
        throw e;
      }
    }
  }

  /** What the nodes' memory decides, before any is taken. */
  private AnnealConfig settled(BarrierTaskContext context, RankChannel channel, NodeMemory here)
      throws IOException {
    Storage storage = attempt.folder().storage();
    DatasetManifest dataset =
        DatasetManifest.read(attempt.folder().child(RunFolder.DATASET), storage);
    ModelSource model =
        ModelLocation.of(config.model().path()).open(storage, config.training().seed());
    MemoryAgreement agreement =
        MemoryAgreement.reach(config, model.config(), PlannedRun.rows(dataset), context, here);
    if (context.partitionId() == 0 && !agreement.sentences().isEmpty()) {
      channel.send(
          new RankEvent.MemoryAgreed(agreement.choice().orElse(null), agreement.sentences()));
    }
    return agreement.config();
  }

  private void train(AnnealConfig settled, RankGroups groups, RankListener listener)
      throws IOException {
    RunFolder folder = attempt.folder();
    Storage storage = folder.storage();
    String datasetUri = folder.child(RunFolder.DATASET);
    try (PreparedDataset train = PreparedDataset.open(datasetUri, Split.TRAIN, storage);
        PreparedDataset eval =
            PreparedDataset.open(
                folder.child(PreparedData.evalFolder(config)),
                PreparedData.evalSplit(config),
                storage)) {
      TrainingSpec spec = Specs.training(settled, train.size());
      ModelLocation model = ModelLocation.of(config.model().path());
      TrainingRun.Inputs inputs =
          new TrainingRun.Inputs(
              model.open(storage, spec.seed()),
              initAdapter(storage),
              new PreparedSequenceSource(train),
              eval.size() == 0 ? null : new PreparedSequenceSource(eval),
              samplePrompts(eval),
              model.display(),
              attempt.result(RunFolder.resultOf(spec.mode())),
              new CheckpointPlan(
                  config.checkpoint().everySteps(),
                  new ReportedCheckpoints(attempt, listener.channel()),
                  attempt.resumePoint()));
      TrainingRun.run(spec, inputs, groups.ranks(), listener);
      listener.profiles().await();
    }
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

  private static RankEvent.Started started(int rank, String host, Gpu gpu) {
    OperatingSystemMXBean os = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return new RankEvent.Started(
        rank,
        host,
        SparkEnv.get().executorId(),
        ProcessHandle.current().pid(),
        os.getAvailableProcessors(),
        os.getTotalMemorySize(),
        os.getName() + " " + os.getVersion() + " " + os.getArch(),
        gpu);
  }

  private static void report(RankChannel channel, int rank, String host, Throwable failure) {
    if (failure instanceof TrainingCancelled || failure instanceof TrainingStopped) {
      return;
    }
    try {
      channel.deliver(RankFailure.event(rank, host, failure));
    } catch (RuntimeException undelivered) {
      failure.addSuppressed(undelivered);
    }
  }
}
