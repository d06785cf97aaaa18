package dev.anneal.spark.doctor;

import dev.anneal.data.task.TaskResults;
import dev.anneal.spark.Redaction;
import dev.anneal.spark.cluster.BarrierStage;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.config.ConfigLoader;
import dev.anneal.spark.job.RootCause;
import dev.anneal.spark.session.RunSession;
import dev.anneal.storage.Storage;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/** Looks for what would stop a run, on the driver and on as many executors as it has nodes. */
public final class Doctor {
  private static final Duration STAGE_LIMIT = Duration.ofMinutes(3);
  private static final String SYNC_SECONDS = "120";

  private final RunSession session;
  private final JavaSparkContext spark;
  private final AnnealConfig config;
  private final SparkConf given;

  private Doctor(RunSession session, AnnealConfig config) {
    this.session = session;
    this.config = config;
    this.given = session.conf().clone();
    // refused for a run, and told; a barrier stage does not begin with it
    session.conf().set("spark.dynamicAllocation.enabled", "false");
    session.conf().set("spark.barrier.sync.timeout", SYNC_SECONDS);
    this.spark = JavaSparkContext.fromSparkContext(session.open().sparkContext());
  }

  /**
   * What there is to look at where nobody says what will run: every slot that Spark's configuration
   * tells of, and no GPUs that must be there.
   */
  public static AnnealConfig anyRun() {
    int nodes = Slots.of(new SparkConf()).orElse(1);
    List<String> sets =
        List.of(
            "cluster.gpus_per_node=0",
            "compute.matmul=bf16",
            "cluster.nodes=" + Math.max(1, nodes));
    return ConfigLoader.load(null, sets, Path.of("").toAbsolutePath());
  }

  /** Looks, in a session as a run would have it. */
  public static Diagnosis examine(AnnealConfig config) {
    try (RunSession session = RunSession.forRequest(SettingsChecks.request(config))) {
      Diagnosis diagnosis = new Doctor(session, config).examine();
      if (diagnosis.stops().isEmpty()) {
        session.succeeded();
      }
      return diagnosis;
    }
  }

  private Diagnosis examine() {
    Places places = Places.of(config, new Storage(session.hadoop()));
    Looks looks = new Looks();
    List<PlaceReport> executors = new ArrayList<>();
    try {
      HostChecks.addForDriver(looks, spark.getConf());
      LibraryChecks.addForDriver(looks);
      StorageChecks.addForDriver(looks, places);
      HubCheck.addForDriver(looks, places);
      SettingsChecks.addTo(looks, config, given, session.hadoop());
      int tasks = new SlotChecks(spark, config, given).addTo(looks);
      if (tasks > 0) {
        executors.addAll(executors(places, tasks));
      }
      looks.put("nodes", nodes(executors));
    } catch (ExecutionException | TimeoutException e) {
      looks.put("nodes", Finding.stopping(cannotLook(e)));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      looks.put("nodes", Finding.stopping("The checks were interrupted."));
    } finally {
      removeWitness(looks, places);
    }
    List<PlaceReport> all = new ArrayList<>();
    String host = spark.getConf().get("spark.driver.host", "");
    all.add(new PlaceReport("driver", host, looks.found()));
    all.addAll(executors);
    return new Diagnosis(all, Redaction.of(given, session.hadoop())::mask);
  }

  private List<PlaceReport> executors(Places places, int tasks)
      throws ExecutionException, TimeoutException, InterruptedException {
    int gpus = config.cluster().gpusPerNode();
    List<String> reports =
        TaskResults.collect(
            BarrierStage.of(spark, tasks, gpus, new ExecutorTask(places)), STAGE_LIMIT);
    Map<String, Finding> clocks =
        ClockChecks.run(spark, BarrierStage.of(spark, tasks, gpus, ClockChecks::look));
    List<PlaceReport> executors = new ArrayList<>();
    for (String json : reports) {
      PlaceReport report = PlaceReport.parse(json);
      Finding clock = clocks.getOrDefault(report.place(), Finding.of("?"));
      executors.add(report.with("clock", clock));
    }
    return executors;
  }

  private Finding nodes(List<PlaceReport> executors) {
    Set<String> places = new HashSet<>();
    for (PlaceReport executor : executors) {
      if (!places.add(executor.place()) && !spark.isLocal()) {
        return Finding.stopping(
            "Two tasks of the barrier stage run on %s, but each needs a process of its own: add --conf spark.executor.cores=<cores of a node>."
                .formatted(executor.place()));
      }
    }
    return Finding.of("%s of %s looked at".formatted(executors.size(), config.cluster().nodes()));
  }

  private static String cannotLook(Exception e) {
    return "A barrier stage cannot run on the executors (%s): see their logs."
        .formatted(
            e instanceof TimeoutException ? "it does not end in time" : RootCause.sentence(e));
  }

  private static void removeWitness(Looks looks, Places places) {
    try {
      StorageChecks.removeWitness(places);
    } catch (IOException e) {
      // where it could not be written, the driver's finding says so
      looks.put("witness", Finding.of("? " + e.getMessage()));
    }
  }
}
