package dev.anneal.spark.plan;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.preflight.AdapterNotes;
import dev.anneal.spark.preflight.BuildCheck;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.train.PlannedRun;
import dev.anneal.storage.Storage;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.lora.LoraLayout;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelSource;
import dev.anneal.training.trainer.MemoryPlan;
import dev.anneal.training.trainer.TrainingSpec;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import org.apache.hadoop.conf.Configuration;

/** The memory and the speed of a run, told before it begins: by arithmetic on the driver alone. */
public final class RunMemory {
  private RunMemory() {}

  /**
   * Prints what a run takes and what else would fit.
   *
   * @throws BadRequestException if it cannot be carried out at all
   */
  public static MemoryPlan print(PlanRequest request, Configuration hadoop, PrintWriter out) {
    try {
      Storage storage = new Storage(hadoop);
      LlamaConfig shape = checkedShape(request.config(), storage);
      PlannedRows rows = PlannedRows.of(request.config(), storage);
      MemoryPlan plan =
          PlannedRun.settled(
              request.config(), shape, request.machine(), rows.statistics(), request.gpu());
      out.print(MemoryReport.of(plan, request));
      out.print(SpeedReport.of(plan, request));
      out.println(rows.words());
      notes(request.config(), plan).forEach(note -> out.println("Note: " + note));
      out.flush();
      return plan;
    } catch (InvalidModelException e) {
      // what is wrong is the request: no run has begun
      throw new BadRequestException(e.getMessage(), e);
    }
  }

  /**
   * Refuses a run that does not fit.
   *
   * @throws BadRequestException naming the settings with which it would
   */
  public static void requireFits(MemoryPlan plan) {
    if (!plan.fits()) {
      throw new BadRequestException(MemoryReport.refusal(plan));
    }
  }

  private static List<String> notes(AnnealConfig config, MemoryPlan plan) {
    TrainingSpec spec = plan.rank().spec();
    return spec.mode() == TrainingSpec.Mode.LORA
        ? AdapterNotes.of(config, LoraLayout.of(spec.lora(), plan.rank().config()))
        : List.of();
  }

  private static LlamaConfig checkedShape(AnnealConfig config, Storage storage) {
    BuildCheck.check(config);
    LlamaConfig shape = shape(config, storage);
    BuildCheck.checkShape(config, shape);
    return shape;
  }

  private static LlamaConfig shape(AnnealConfig config, Storage storage) {
    String path = config.model().path();
    if (path == null) {
      throw new BadRequestException(
          "model.path is not set: set it in the configuration or with --set model.path=...");
    }
    if (ModelLocation.isHub(path)) {
      throw new BadRequestException(
          "model.path %s is fetched when a run begins: name its shape instead, such as --set model.path=random:llama3.1-8b."
              .formatted(path));
    }
    ModelLocation location = ModelLocation.of(path);
    try {
      ModelSource source = location.open(storage, config.training().seed());
      // its weights need not be there yet
      return source instanceof ModelSource.Folder model
          ? LlamaConfig.read(model.folder())
          : source.config();
    } catch (IOException e) {
      throw new BadRequestException(
          "The model %s cannot be read (%s): check model.path."
              .formatted(location.display(), e.getMessage()),
          e);
    }
  }
}
