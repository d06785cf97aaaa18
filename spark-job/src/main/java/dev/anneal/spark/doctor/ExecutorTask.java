package dev.anneal.spark.doctor;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.SparkEnv;

/** What one task of the barrier stage looks at: the process that a node's ranks would run in. */
record ExecutorTask(Places places) implements BarrierJob.Task {

  /** The report as JSON. */
  @Override
  public String run() {
    BarrierTaskContext context = BarrierTaskContext.get();
    String host = host(context);
    Looks looks = new Looks();
    HostChecks.addTo(looks, SparkEnv.get().conf());
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

  /** The address of this task's host that Spark uses. */
  private static String host(BarrierTaskContext context) {
    String address = context.getTaskInfos()[context.partitionId()].address();
    // an IPv6 address has colons of its own, so the port is behind the last one
    int port = address.lastIndexOf(':');
    return port < 0 ? address : address.substring(0, port).replaceAll("[\\[\\]]", "");
  }
}
