package dev.anneal.spark.doctor;

import dev.anneal.spark.cluster.BarrierStage;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.SparkEnv;

/** What one task of the barrier stage looks at: the process that a node's ranks would run in. */
record ExecutorTask(Places places) implements BarrierStage.Task<String> {

  /** The report as JSON. */
  @Override
  public String run() {
    BarrierTaskContext context = BarrierTaskContext.get();
    String host = BarrierStage.host(context);
    Looks looks = new Looks();
    HostChecks.addForExecutor(looks, SparkEnv.get().conf());
    LibraryChecks.addForRanks(looks, places.config().cluster().gpusPerNode());
    StorageChecks.addForExecutor(looks, places);
    HubCheck.addForExecutor(looks, places);
    try {
      NetworkChecks.addTo(looks, context, host);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    String place = PlaceReport.executor(SparkEnv.get().executorId());
    return new PlaceReport(place, host, looks.found()).toJson();
  }
}
