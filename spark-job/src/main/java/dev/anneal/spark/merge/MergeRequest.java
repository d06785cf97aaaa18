package dev.anneal.spark.merge;

import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Request;
import dev.anneal.spark.config.Locations;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.merge.MergeDType;
import dev.anneal.training.merge.MergePlan;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * What the user asked for.
 *
 * @param adapter location of a PEFT adapter
 * @param model location of its base model; {@code null} for the one that the adapter names
 * @param output location of the merged model
 * @param dtype {@code null} for that of the base model
 * @param maxShardBytes that the tensors of a file may have
 * @param verify whether the result is read again and held against base and adapter
 * @param earlier what becomes of what an earlier merge has left
 */
public record MergeRequest(
    String adapter,
    String model,
    String output,
    MergeDType dtype,
    long maxShardBytes,
    boolean verify,
    Earlier earlier) {

  /** As in Hugging Face's {@code save_pretrained}. */
  public static final String DEFAULT_SHARD_SIZE = "5GB";

  /** What becomes of what an earlier merge has left in the output folder. */
  public enum Earlier {
    /** A part of the same is gone on with; for anything else the merge is refused. */
    KEEP,
    /** It is removed. */
    REPLACE,
    /** A part of the same is gone on with; anything else is removed. */
    GO_ON_OR_REPLACE
  }

  /**
   * That of a run, which may have been cut off in the middle of it before, or have merged another
   * adapter.
   */
  public static MergeRequest ofRun(String adapter, String model, String output) {
    return new MergeRequest(
        location(adapter),
        location(model),
        location(output),
        null,
        MergePlan.bytes(DEFAULT_SHARD_SIZE),
        true,
        Earlier.GO_ON_OR_REPLACE);
  }

  /**
   * A request as users give it.
   *
   * @param adapter path or URI, as {@code model} and {@code output}
   * @param model {@code null} for the one that the adapter names
   * @param dtype {@code fp32}, {@code fp16}, {@code bf16} or {@code fp8}; {@code null} for that of
   *     the base model
   * @param maxShardSize such as {@code 5GB}
   * @param existing what becomes of a merged model that is there, or a part of one
   * @throws BadRequestException if a value is not one of these
   */
  public static MergeRequest of(
      String adapter,
      String model,
      String output,
      String dtype,
      String maxShardSize,
      boolean verify,
      Request.Existing existing) {
    try {
      return new MergeRequest(
          location(adapter),
          model == null ? null : location(model),
          location(output),
          dtype == null ? null : dtype(dtype),
          MergePlan.bytes(maxShardSize),
          verify,
          switch (existing) {
            case KEEP -> Earlier.KEEP;
            case REPLACE -> Earlier.REPLACE;
          });
    } catch (InvalidModelException e) {
      throw new BadRequestException(e.getMessage(), e);
    }
  }

  private static String location(String location) {
    if (location.startsWith(ModelLocation.RANDOM) || ModelLocation.isHub(location)) {
      throw new BadRequestException(
          "A merge takes and makes folders, and %s is none: fetch the model first, and name its folder."
              .formatted(location));
    }
    return Locations.resolve(location, Path.of("")).replaceFirst("(?<=[^/:])/+$", "");
  }

  private static MergeDType dtype(String name) {
    return Arrays.stream(MergeDType.values())
        .filter(dtype -> dtype.name().equalsIgnoreCase(name))
        .findFirst()
        .orElseThrow(
            () ->
                new BadRequestException(
                    "The dtype of a merged model is '%s', but must be fp32, fp16, bf16 or fp8."
                        .formatted(name)));
  }
}
