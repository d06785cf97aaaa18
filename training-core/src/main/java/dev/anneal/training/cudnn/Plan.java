package dev.anneal.training.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_ENGINECFG_ENGINE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_ENGINEHEUR_MODE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_ENGINEHEUR_RESULTS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_ENGINE_NUMERICAL_NOTE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS;
import static org.bytedeco.cuda.global.cudnn.CUDNN_ATTR_VARIANT_PACK_WORKSPACE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_ENGINECFG_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_ENGINE_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR;
import static org.bytedeco.cuda.global.cudnn.CUDNN_HEUR_MODE_A;
import static org.bytedeco.cuda.global.cudnn.CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
import static org.bytedeco.cuda.global.cudnn.CUDNN_NUMERICAL_NOTE_TYPE_COUNT;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_HEUR_MODE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_NUMERICAL_NOTE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_TYPE_VOID_PTR;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.bytedeco.cuda.cudnn.cudnnContext;
import org.bytedeco.cuda.global.cudnn;
import org.bytedeco.javacpp.FloatPointer;

/** How a device carries out a graph: an engine of cuDNN's with its kernels, compiled. */
public final class Plan implements AutoCloseable {
  /** Of the engines that cuDNN proposes, best first. */
  private static final int PROPOSALS = 8;

  private final Graph graph;
  private final List<Descriptor> parts = new ArrayList<>();
  private final Descriptor plan;
  private final long workspaceBytes;
  private final long[] constantUids;
  private final long[] constantAddresses;
  private final FloatPointer constants;

  private Plan(Graph graph, Descriptor plan) {
    this.graph = graph;
    this.plan = plan;
    this.workspaceBytes = plan.getLong(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
    Map<Long, Float> numbers = graph.constants();
    this.constants = new FloatPointer((long) numbers.size());
    constants.retainReference();
    this.constantUids = numbers.keySet().stream().mapToLong(Long::longValue).toArray();
    this.constantAddresses = new long[constantUids.length];
    int at = 0;
    for (float number : numbers.values()) {
      constants.put(at, number);
      constantAddresses[at] = constants.address() + (long) at * Float.BYTES;
      at++;
    }
  }

  /**
   * Takes the first engine that cuDNN proposes, that it does not note as giving different bits, and
   * that works.
   *
   * @param graph closed with the plan
   * @param failures of the engines before it
   * @throws CudnnException if no engine takes the graph
   */
  static Plan of(Graph graph, Cudnn device, EngineFailures failures) {
    List<Descriptor> made = new ArrayList<>();
    try {
      Plan plan = of(graph, device, made, failures);
      plan.parts.addAll(made);
      return plan;
    } catch (RuntimeException e) {
      made.forEach(Descriptor::close);
      throw e;
    }
  }

  private static Plan of(
      Graph graph, Cudnn device, List<Descriptor> made, EngineFailures failures) {
    String name = graph.name();
    Descriptor whole = graph.whole();
    device.forGraph(whole);
    whole.finish();
    Descriptor heuristics =
        new Descriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, "a choice of engines for the " + name);
    made.add(heuristics);
    heuristics
        .link(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, whole)
        .code(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, CUDNN_HEUR_MODE_A);
    heuristics.finish();
    List<Descriptor> settings =
        Stream.generate(
                () -> new Descriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, "engine of the " + name))
            .limit(PROPOSALS)
            .toList();
    made.addAll(settings);
    int proposed = heuristics.fill(CUDNN_ATTR_ENGINEHEUR_RESULTS, settings);
    for (Descriptor setting : settings.subList(0, Math.min(proposed, PROPOSALS))) {
      Descriptor engine = new Descriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, "engine of the " + name);
      made.add(engine);
      setting.fill(CUDNN_ATTR_ENGINECFG_ENGINE, List.of(engine));
      if (differs(engine)) {
        failures.refused("none is deterministic");
        continue;
      }
      Descriptor plan =
          new Descriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "a plan of the " + name);
      made.add(plan);
      plan.link(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, setting);
      device.forPlan(plan);
      try {
        plan.finish();
      } catch (CudnnException e) {
        failures.failed(e);
        continue;
      }
      return new Plan(graph, plan);
    }
    throw failures.none(name);
  }

  private static boolean differs(Descriptor engine) {
    return engine
        .codes(
            CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
            CUDNN_TYPE_NUMERICAL_NOTE,
            CUDNN_NUMERICAL_NOTE_TYPE_COUNT)
        .contains(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
  }

  /** Of the device's memory, for one execution at a time. */
  public long workspaceBytes() {
    return workspaceBytes;
  }

  /**
   * Starts it on the handle's stream.
   *
   * @param addresses of the operands, a multiple of 16 each; those of others are left out, as cuDNN
   *     refuses what is not in the graph
   * @param workspace address of {@link #workspaceBytes}
   */
  void execute(cudnnContext handle, Map<AttentionOperand, Long> addresses, long workspace) {
    Set<AttentionOperand> needed = graph.operands();
    int operands = needed.size();
    long[] uids = new long[operands + constantUids.length];
    long[] pointers = new long[uids.length];
    int at = 0;
    for (AttentionOperand operand : needed) {
      uids[at] = operand.uid();
      pointers[at++] = address(addresses, operand);
    }
    System.arraycopy(constantUids, 0, uids, operands, constantUids.length);
    System.arraycopy(constantAddresses, 0, pointers, operands, constantUids.length);
    try (Descriptor pack =
        new Descriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, "operands of the " + graph.name())) {
      pack.longs(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, uids)
          .addresses(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, pointers)
          .addresses(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace)
          .finish();
      Descriptor.check(
          cudnn.cudnnBackendExecute(handle, plan.pointer(), pack.pointer()),
          "start the " + graph.name());
    }
  }

  private long address(Map<AttentionOperand, Long> addresses, AttentionOperand operand) {
    Long address = addresses.get(operand);
    if (address == null) {
      throw new CudnnException("the %s needs %s".formatted(graph.name(), operand));
    }
    return address;
  }

  /** Its kernels must have ended. */
  @Override
  public void close() {
    parts.forEach(Descriptor::close);
    graph.close();
    constants.releaseReference();
  }
}
