package dev.anneal.bench;

import static java.util.Locale.ROOT;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.anneal.training.checkpoint.CheckpointPlan;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.collective.GlooCollectives;
import dev.anneal.training.collective.NcclCollectives;
import dev.anneal.training.collective.SingleRank;
import dev.anneal.training.collective.rendezvous.RendezvousStore;
import dev.anneal.training.collective.rendezvous.StoreAddress;
import dev.anneal.training.cuda.GpuMemory;
import dev.anneal.training.data.SequenceSource;
import dev.anneal.training.fused.AttentionLibrary;
import dev.anneal.training.fused.FusedLlama;
import dev.anneal.training.fused.HeadProducts;
import dev.anneal.training.io.LocalOutputFolder;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.lora.LoraSpec;
import dev.anneal.training.model.BatchShape;
import dev.anneal.training.model.activations.KeptActivations;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.optim.AdamWSpec;
import dev.anneal.training.optim.LearningRateSchedule;
import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.NativeLibraries;
import dev.anneal.training.timing.Profile;
import dev.anneal.training.timing.StepTimes;
import dev.anneal.training.timing.StepTimings;
import dev.anneal.training.trainer.MemoryTable;
import dev.anneal.training.trainer.Ranks;
import dev.anneal.training.trainer.StepMetrics;
import dev.anneal.training.trainer.TrainingListener;
import dev.anneal.training.trainer.TrainingRun;
import dev.anneal.training.trainer.TrainingSpec;
import dev.anneal.training.weights.FrozenLayers.Shard;
import dev.anneal.training.weights.Transport;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.bytedeco.pytorch.global.torch_cuda;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains a model of random weights for some steps and prints one JSON line of what it measured. */
@Command(name = "training-benchmark", mixinStandardHelpOptions = true)
final class TrainingBenchmark implements Callable<Integer> {
  private static final String HOST = "127.0.0.1";

  /** Tells the other processes where the first one's store is. */
  private static final String STORE = "ANNEAL_BENCH_STORE";

  @Option(names = "--name", description = "what the line is called")
  private String name = "anneal";

  /** Where the ranks compute. */
  private enum On {
    GPU,
    CPU
  }

  /** Whether steps are timed in their parts. */
  private enum Timed {
    ON,
    OFF
  }

  /** What layers keep of their forward. */
  private enum Kept {
    KEEP(KeptActivations.ALL),
    CHECKPOINT(KeptActivations.INPUTS),
    CHECKPOINT_ON_HOST(KeptActivations.INPUTS_ON_HOST);

    // a record of two values that never change
    @SuppressWarnings("ImmutableEnumChecker")
    private final KeptActivations activations;

    Kept(KeptActivations activations) {
      this.activations = activations;
    }

    KeptActivations of(int recomputed) {
      return this == KEEP ? activations : activations.first(recomputed);
    }
  }

  /** So few that the GPU is through with a step before the host has enqueued it. */
  private static final int HOST_TOKENS = 64;

  /** A shape for the host: 38 million weights in four layers. */
  private static final LlamaConfig SMALL =
      new LlamaConfig(
          2048, 768, 3072, 4, 12, 4, 64, 1e-5, null, 500_000, 4096, false, null, List.of());

  @Option(names = "--on", description = "GPU, or CPU for fp32 on the host")
  private On on = On.GPU;

  @Option(names = "--shape", description = "small, llama3.1-8b, -70b or -405b")
  private String shape = "llama3.1-8b";

  @Option(names = "--layers", description = "decoder layers, where fewer than the shape has")
  private Integer layers;

  @Option(names = "--rows", description = "JSON lines of packed sequences instead of random tokens")
  private Path rows;

  @Option(names = "--length", description = "tokens of a random sequence")
  private int length = 1024;

  @Option(names = "--micro-batch", description = "sequences a rank takes at once")
  private int microBatch = 4;

  @Option(
      names = "--host",
      description =
          "one sequence of 64 tokens a step, for which a GPU waits: what a step takes the host")
  private boolean host;

  @Option(names = "--r", description = "rank of the adapters, and their alpha")
  private int adapterRank = 64;

  @Option(names = "--targets", split = ",", description = "modules with an adapter")
  private List<String> targets = List.of("all-linear");

  @Option(names = "--matmul", description = "COMPUTE or FP8")
  private Matmul matmul = Matmul.FP8;

  @Option(names = "--attention", description = "FLASH or CUDNN")
  private AttentionLibrary attention = AttentionLibrary.DEFAULT;

  @Option(names = "--base", description = "FP8, BF16 or FP32")
  private DType base = DType.FP8;

  @Option(names = "--columns", description = "of FP8 weights: MADE or KEPT")
  private FusedLlama.Columns columns = FusedLlama.Columns.MADE;

  @Option(names = "--head", description = "EXACT, FP8_BACKWARD or FP8")
  private HeadProducts head = HeadProducts.EXACT;

  @Option(names = "--activations", description = "KEEP, CHECKPOINT or CHECKPOINT_ON_HOST")
  private Kept activations = Kept.KEEP;

  @Option(
      names = "--recomputed",
      description = "layers that CHECKPOINT is for, the first; the others keep all")
  private int recomputed = Integer.MAX_VALUE;

  @Option(names = "--host-layers", description = "layers that keep all in host memory")
  private int hostLayers;

  @Option(names = "--offload", description = "share of the frozen weights in host memory")
  private double offload;

  @Option(names = "--shard", description = "NONE or NODE")
  private Shard shard = Shard.NONE;

  @Option(names = "--transport", description = "of split weights: ANY, PEERS or COLLECTIVE")
  private Transport transport = Transport.ANY;

  @Option(names = "--checkpoint-every", description = "steps between checkpoints; 0: none")
  private int checkpointEvery;

  @Option(names = "--checkpoints", description = "the folder that they are written into")
  private Path checkpoints;

  @Option(names = "--gpus", description = "ranks, each a thread and a GPU of this process")
  private int gpus = 1;

  @Option(names = "--processes", description = "ranks are processes, this one the first of them")
  private boolean processes;

  @Option(names = "--rank", hidden = true, description = "the one that this process is")
  private Integer onlyRank;

  @Option(names = "--steps", description = "measured steps")
  private int steps = 12;

  @Option(names = "--warmup", description = "steps before them")
  private int warmup = 4;

  @Option(names = "--timings", description = "ON, or OFF: steps are not timed in their parts")
  private Timed timings = Timed.ON;

  @Option(names = "--profile", description = "takes a profile of so many steps, which nobody reads")
  private int profile;

  @Option(names = "--predict", description = "print the table of memory and train nothing")
  private boolean predict;

  @Spec private CommandSpec command;

  private LocalCheckpoints sink;

  public static void main(String[] arguments) {
    System.exit(new CommandLine(new TrainingBenchmark()).execute(arguments));
  }

  @Override
  public Integer call() throws Exception {
    if (host) {
      microBatch = 1;
      length = HOST_TOKENS;
    }
    if (predict) {
      print(table());
      return 0;
    }
    System.setProperty(Transport.PROPERTY, transport.name());
    System.setProperty(StepTimings.PROPERTY, timings.name());
    NativeLibraries.load();
    sink = new LocalCheckpoints(checkpoints);
    Duration timeout = Duration.ofMinutes(2);
    if (onlyRank != null) {
      rank(onlyRank, null, StoreAddress.parse(System.getenv(STORE)), timeout);
      return 0;
    }
    List<List<StepMetrics>> measured = new ArrayList<>();
    List<Process> others = new ArrayList<>();
    int threadCount = processes ? 1 : gpus;
    ExecutorService threads = Executors.newFixedThreadPool(threadCount);
    try (RendezvousStore store = gpus > 1 ? RendezvousStore.serve(HOST, timeout) : null) {
      StoreAddress address = store == null ? null : store.address();
      for (int i = threadCount; i < gpus; i++) {
        others.add(start(i, address));
      }
      List<Future<List<StepMetrics>>> ranks = new ArrayList<>();
      for (int i = 0; i < threadCount; i++) {
        int rank = i;
        ranks.add(threads.submit(() -> rank(rank, store, address, timeout)));
      }
      for (Future<List<StepMetrics>> rank : ranks) {
        measured.add(rank.get());
      }
      for (Process other : others) {
        if (other.waitFor() != 0) {
          throw new IllegalStateException("another rank has failed");
        }
      }
    } finally {
      threads.shutdownNow();
      others.forEach(Process::destroyForcibly);
    }
    print(measured.get(0));
    return 0;
  }

  /** This command in a JVM like this one, as another rank. */
  private Process start(int rank, StoreAddress address) throws IOException {
    List<String> line = new ArrayList<>();
    line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    line.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    line.addAll(List.of("-cp", System.getProperty("java.class.path")));
    line.add(TrainingBenchmark.class.getName());
    line.addAll(command.commandLine().getParseResult().originalArgs());
    line.addAll(List.of("--rank", Integer.toString(rank)));
    ProcessBuilder builder = new ProcessBuilder(line);
    // it holds a secret, which other users see in arguments
    builder.environment().put(STORE, address.toText());
    // results are the first rank's alone
    return builder
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  /**
   * @param served the store, on rank 0
   */
  private List<StepMetrics> rank(
      int rank, RendezvousStore served, StoreAddress address, Duration timeout) throws IOException {
    Device device = device(rank);
    if (device.isGpu()) {
      torch_cuda.set_device((byte) rank);
    }
    try (RendezvousStore own = rank == 0 ? null : RendezvousStore.connect(address, timeout);
        Collectives world = group(rank == 0 ? served : own, "world", rank, timeout);
        Collectives weights =
            shard == Shard.NONE
                ? new SingleRank()
                : group(rank == 0 ? served : own, "weights", rank, timeout);
        SequenceSource data = data()) {
      Recorder recorder = new Recorder(profile);
      TrainingRun.run(spec(), inputs(data), new Ranks(device, world, weights), recorder);
      return recorder.steps;
    }
  }

  private Collectives group(RendezvousStore store, String name, int rank, Duration timeout) {
    if (gpus == 1) {
      return new SingleRank();
    }
    return on == On.GPU
        ? NcclCollectives.join(store, name, Device.gpu(rank), rank, gpus, timeout)
        : GlooCollectives.join(store, HOST, rank, gpus, timeout);
  }

  private Device device(int rank) {
    return on == On.GPU ? Device.gpu(rank) : Device.CPU;
  }

  private SequenceSource data() throws IOException {
    return rows == null
        ? new SyntheticSequences(4096, length, config().vocabSize())
        : PackedRows.read(rows);
  }

  private LlamaConfig config() {
    LlamaConfig config = shape.equals("small") ? SMALL : LlamaConfig.named(shape);
    return layers == null ? config : config.withLayers(layers);
  }

  private TrainingRun.Inputs inputs(SequenceSource data) throws IOException {
    Path output = Files.createTempDirectory("anneal-bench");
    return new TrainingRun.Inputs(
        new ModelSource.Random(config(), 1),
        null,
        data,
        null,
        List.of(),
        shape,
        new LocalOutputFolder(output),
        checkpointEvery == 0
            ? CheckpointPlan.NONE
            : new CheckpointPlan(checkpointEvery, sink, null));
  }

  private TrainingSpec spec() {
    return new TrainingSpec(
        TrainingSpec.Mode.LORA,
        new LoraSpec(adapterRank, adapterRank, 0, false, targets),
        new TrainingSpec.Weights(base, shard, offload, columns),
        new TrainingSpec.Compute(
            on == On.GPU ? DType.BF16 : DType.FP32,
            matmul,
            activations.of(recomputed).onHost(hostLayers),
            attention,
            head),
        new TrainingSpec.Batches(microBatch, 1, (long) warmup + steps, false),
        new TrainingSpec.Updates(
            new AdamWSpec(2e-5, 0, 0.9, 0.999, 1e-8),
            new LearningRateSchedule(LearningRateSchedule.Type.LINEAR, 0, (long) warmup + steps),
            1.0,
            TrainingSpec.OnNan.STOP),
        42,
        TrainingSpec.Evaluation.atBothEnds(0));
  }

  private void print(List<StepMetrics> all) throws IOException {
    List<StepMetrics> measured = all.subList(warmup, all.size());
    double seconds = measured.stream().mapToDouble(TrainingBenchmark::millis).sum() / 1000;
    long tokens = measured.stream().mapToLong(StepMetrics::tokens).sum();
    StepMetrics last = all.get(all.size() - 1);
    ObjectNode line = new ObjectMapper().createObjectNode();
    line.put("name", name);
    line.put("tokens_per_second", tokens / seconds);
    if (rows != null) {
      line.put("rows_per_second", tokens / seconds * PackedRows.read(rows).rowsPerToken());
    }
    line.put("step_milliseconds", 1000 * seconds / measured.size());
    line.put("median_milliseconds", medianMillis(measured));
    if (host) {
      line.put("host_milliseconds", medianMillis(measured));
    }
    line.put("timings", timings.name());
    if (last.times().areKnown()) {
      line.put("device_ms", median(measured, StepTimes::device));
      line.put("exchange_ms", median(measured, StepTimes::exchange));
      line.put("offload_ms", median(measured, StepTimes::offload));
      line.put("host_enqueue_ms", median(measured, StepTimes::hostEnqueue));
      line.put("data_wait_ms", median(measured, StepTimes::dataWait));
    }
    line.put("peak_gb", last.peakMemoryBytes() / 1e9);
    if (rows == null && on == On.GPU) {
      line.put("predicted_gb", table().tensorBytes() / 1e9);
      line.put("predicted_device_gb", table().deviceBytes() / 1e9);
    }
    if (on == On.GPU) {
      GpuMemory memory = new GpuMemory(Device.gpu(0));
      line.put("peak_reserved_gb", memory.peakReservedBytes() / 1e9);
      // the context, the kernels, NCCL, and other processes if there are any
      long outside = memory.totalBytes() - memory.freeBytes() - memory.reservedBytes();
      line.put("outside_gb", outside / 1e9);
    }
    line.put("tokens_per_step", tokens / measured.size());
    line.put("first_loss", all.get(0).loss());
    line.put("last_loss", last.loss());
    line.put("gpus", gpus);
    if (checkpointEvery > 0) {
      line.put("failed_checkpoints", sink.failed());
      line.put("checkpoints", sink.complete());
      line.put("checkpoint_gb", sink.bytes() / 1e9 / sink.complete());
      line.put("checkpoint_seconds", sink.seconds() / sink.complete());
      line.put(
          "median_milliseconds_after_checkpoint",
          medianMillis(
              measured.stream().filter(m -> (m.step() - 1) % checkpointEvery == 0).toList()));
    }
    System.out.println("RESULT " + line);
  }

  /** What a rank of the run holds at most, by arithmetic. */
  private MemoryTable table() {
    int split = shard == Shard.NONE ? 1 : gpus;
    MemoryTable.Rank rank =
        new MemoryTable.Rank(config(), spec(), gpus, split, checkpointEvery > 0);
    return MemoryTable.of(rank, new BatchShape(microBatch, length));
  }

  private void print(MemoryTable table) {
    Stream.concat(table.tensors().stream(), table.assumed().stream())
        .forEach(
            row ->
                System.out.printf(
                    ROOT,
                    "%-60s %9.3f GB %9.3f GB of the host%n",
                    row.name(),
                    row.deviceBytes() / 1e9,
                    row.hostBytes() / 1e9));
    System.out.printf(
        ROOT,
        "%s: tensors %.3f GB, all %.3f GB, host %.3f GB%n",
        name,
        table.tensorBytes() / 1e9,
        table.deviceBytes() / 1e9,
        table.hostBytes() / 1e9);
  }

  private static double medianMillis(List<StepMetrics> steps) {
    double[] millis = steps.stream().mapToDouble(TrainingBenchmark::millis).sorted().toArray();
    return millis.length == 0 ? Double.NaN : millis[millis.length / 2];
  }

  private static double median(List<StepMetrics> steps, ToDoubleFunction<StepTimes> part) {
    double[] sorted = steps.stream().map(StepMetrics::times).mapToDouble(part).sorted().toArray();
    return sorted[sorted.length / 2];
  }

  private static double millis(StepMetrics step) {
    return 1000 * step.tokens() / step.tokensPerSecond();
  }

  private static final class Recorder implements TrainingListener {
    private final List<StepMetrics> steps = new ArrayList<>();
    private final int profiled;

    Recorder(int profiled) {
      this.profiled = profiled;
    }

    @Override
    public int profiledSteps() {
      return profiled;
    }

    @Override
    public void onProfile(Profile taken) {
      System.err.printf("profile of %s spans%n", taken.spans().size());
    }

    @Override
    public void onPhase(String phase) {
      System.err.println(phase + " ...");
    }

    @Override
    public void onStep(StepMetrics metrics) {
      steps.add(metrics);
      System.err.printf("step %s: %.1f ms%n", metrics.step(), millis(metrics));
    }

    @Override
    public void onEvaluation(long step, double evalLoss) {}

    @Override
    public void onSample(long step, int sample, int[] promptIds, int[] generatedIds) {}

    @Override
    public boolean cancelled() {
      return false;
    }
  }
}
