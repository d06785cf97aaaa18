package dev.anneal.spark.fetch;

import dev.anneal.data.hub.HubRepository;
import dev.anneal.data.hub.HubSelection;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.Request.Existing;
import java.util.List;

/**
 * What of the hub is to be brought where.
 *
 * @param revision branch, tag or commit
 * @param output local folder or Hadoop URI
 * @param existing what becomes of what stands there already
 * @param connections to the hub at a time, of this process or of an executor
 */
public record FetchRequest(
    HubRepository repository,
    String revision,
    String output,
    HubSelection selection,
    Existing existing,
    int connections) {

  /** Connections where nobody says otherwise. */
  public static final int CONNECTIONS = 8;

  /** Refuses numbers that make no sense. */
  public FetchRequest {
    if (connections < 1) {
      throw new BadRequestException(
          "--connections is %s: let there be at least one.".formatted(connections));
    }
  }

  /** A whole model, as its main branch has it. */
  public static FetchRequest model(String name, String output) {
    return of(new HubRepository(HubRepository.Type.MODEL, name), output);
  }

  /** A whole data set, as its main branch has it. */
  public static FetchRequest dataset(String name, String output) {
    return of(new HubRepository(HubRepository.Type.DATASET, name), output);
  }

  private static FetchRequest of(HubRepository repository, String output) {
    return new FetchRequest(
        repository, "main", output, HubSelection.ALL, Existing.KEEP, CONNECTIONS);
  }

  /** The same at another branch, tag or commit. */
  public FetchRequest revision(String other) {
    return new FetchRequest(repository, other, output, selection, existing, connections);
  }

  /** The same without the files that match none of these patterns. */
  public FetchRequest include(String... patterns) {
    return selecting(new HubSelection(List.of(patterns), selection.exclude()));
  }

  /** The same without the files that match one of these patterns. */
  public FetchRequest exclude(String... patterns) {
    return selecting(new HubSelection(selection.include(), List.of(patterns)));
  }

  private FetchRequest selecting(HubSelection other) {
    return new FetchRequest(repository, revision, output, other, existing, connections);
  }

  /** The same, with another rule for what stands there. */
  public FetchRequest existing(Existing other) {
    return new FetchRequest(repository, revision, output, selection, other, connections);
  }
}
