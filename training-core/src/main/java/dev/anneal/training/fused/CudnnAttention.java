package dev.anneal.training.fused;

import static dev.anneal.training.cudnn.AttentionOperand.DELTA;
import static dev.anneal.training.cudnn.AttentionOperand.D_KEY;
import static dev.anneal.training.cudnn.AttentionOperand.D_KEY_HEADS;
import static dev.anneal.training.cudnn.AttentionOperand.D_OUTPUT;
import static dev.anneal.training.cudnn.AttentionOperand.D_QUERY;
import static dev.anneal.training.cudnn.AttentionOperand.D_VALUE;
import static dev.anneal.training.cudnn.AttentionOperand.D_VALUE_HEADS;
import static dev.anneal.training.cudnn.AttentionOperand.KEY;
import static dev.anneal.training.cudnn.AttentionOperand.LOGSUMEXP;
import static dev.anneal.training.cudnn.AttentionOperand.OUTPUT;
import static dev.anneal.training.cudnn.AttentionOperand.QUERY;
import static dev.anneal.training.cudnn.AttentionOperand.VALUE;

import dev.anneal.training.cudnn.AttentionOperand;
import dev.anneal.training.cudnn.AttentionPlans;
import dev.anneal.training.cudnn.AttentionShape;
import dev.anneal.training.cudnn.AttentionShape.Strides;
import dev.anneal.training.cudnn.HeadPart;
import dev.anneal.training.cudnn.Plan;
import dev.anneal.training.cudnn.RowGroup;
import dev.anneal.training.cudnn.RowIndices;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.cuda.CUDAStream;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.bytedeco.pytorch.global.torch_cuda;

/**
 * Attention by cuDNN's fused engines over rows of different lengths, bf16 on one GPU. What it gives
 * for a backward is what FlashAttention would, so that the latter takes over where cuDNN does not
 * serve: shapes without an engine, and backwards of rows whose scores have no room. For one thread
 * at a time, whose current device is the GPU.
 */
final class CudnnAttention implements RowAttention, AutoCloseable {
  /** One row of 32,768 tokens may take more than others together, at the heads of 8B. */
  static final RowGroup.Room ROOM = new RowGroup.Room(1L << 30, 8L << 30);

  /** Rows of many lengths have as many reasons; faults are counted apart. */
  private static final int MOST_NOTICES = 4;

  private final Device device;
  private final Consumer<String> notice;
  private final RowGroup.Room room;
  private final AttentionPlans plans = new AttentionPlans(this::leaveToFlash, this::tellFault);
  private final FlashAttention flash = new FlashAttention();

  /** Those of the last micro-batch; {@code null} before the first. */
  private RowsOnDevice lastRows;

  /** All heads of a layer; {@code null} before the first micro-batch. */
  private AttentionShape heads;

  private final Set<String> noticed = new HashSet<>();
  private final Set<String> faults = new HashSet<>();

  /**
   * Loads cuDNN.
   *
   * @param notice told once for each reason for which FlashAttention takes over, and of faults
   * @throws dev.anneal.training.cudnn.CudnnException if it cannot be loaded
   */
  CudnnAttention(Device device, Consumer<String> notice) {
    this(device, notice, ROOM);
  }

  CudnnAttention(Device device, Consumer<String> notice, RowGroup.Room room) {
    this.device = device;
    this.notice = notice;
    this.room = room;
  }

  /** Plans that the batch asks for are made meanwhile, if a batch has told of the heads before. */
  @Override
  public void expect(int[] rowLengths) {
    if (heads != null) {
      plans.expectForward(shape(RowGroup.all(rowLengths)));
      backwardGroups(rowLengths).forEach(group -> plans.expectBackward(shape(group)));
    }
  }

  @Override
  public Output forward(Tensor q, Tensor k, Tensor v, TokenBatch batch) {
    Optional<Plan> plan =
        takes(q, k, v, batch)
            ? plans.forward(shape(rows(q, k, batch).forward().group()))
            : Optional.empty();
    if (plan.isEmpty()) {
      return flash.forward(q, k, v, batch);
    }
    Tensor output = Tensors.emptyLike(q, q.size(0), q.size(1), q.size(2));
    Tensor sums = Tensors.emptyLike(q, ScalarType.Float, q.size(0), q.size(1));
    try (TensorScope scope = new TensorScope()) {
      Map<AttentionOperand, Long> operands = new EnumMap<>(lastRows.forward().addresses());
      putInputs(operands, q, k, v, new Output(output, sums, null));
      execute(plan.get(), operands, address(room(plan.get().workspaceBytes())));
    }
    return new Output(output, sums, null);
  }

  @Override
  public Gradients backward(
      Tensor dOutput, Tensor q, Tensor k, Tensor v, Output forward, TokenBatch batch) {
    if (forward.randomState() != null) {
      // FlashAttention's own
      return flash.backward(dOutput, q, k, v, forward, batch);
    }
    List<GroupOnDevice> groups = rows(q, k, batch).backward();
    List<Plan> groupPlans =
        groups.stream().flatMap(group -> plans.backward(shape(group.group())).stream()).toList();
    if (groups.isEmpty()) {
      leaveToFlash(
          "the backward of a row of %s tokens has no room".formatted(batch.maxRowLength()));
    }
    if (groupPlans.isEmpty() || groupPlans.size() < groups.size()) {
      return flash.backward(dOutput, q, k, v, asFlash(forward), batch);
    }
    Tensor dQ = Tensors.emptyLike(q, q.size(0), q.size(1), q.size(2));
    Tensor dK = Tensors.emptyLike(k, k.size(0), k.size(1), k.size(2));
    Tensor dV = Tensors.emptyLike(v, v.size(0), v.size(1), v.size(2));
    try (TensorScope scope = new TensorScope()) {
      Map<AttentionOperand, Long> operands = room(q, k);
      putInputs(operands, q, k, v, forward);
      operands.put(D_OUTPUT, address(dOutput.contiguous()));
      operands.put(D_QUERY, address(dQ));
      operands.put(D_KEY, address(dK));
      operands.put(D_VALUE, address(dV));
      long most = groupPlans.stream().mapToLong(Plan::workspaceBytes).max().getAsLong();
      long workspace = address(room(most));
      for (int i = 0; i < groups.size(); i++) {
        backward(groupPlans.get(i), groups.get(i), operands, heads, workspace);
      }
    }
    return new Gradients(dQ, dK, dV);
  }

  private void backward(
      Plan plan,
      GroupOnDevice group,
      Map<AttentionOperand, Long> operands,
      AttentionShape whole,
      long workspace) {
    int parts = group.group().headParts();
    for (int part = 0; part < parts; part++) {
      Map<AttentionOperand, Long> ofPart = new HeadPart(part, parts).addresses(operands, whole);
      ofPart.putAll(group.addresses());
      execute(plan, ofPart, workspace);
    }
  }

  private boolean takes(Tensor q, Tensor k, Tensor v, TokenBatch batch) {
    boolean takes = isTaken(q, k, v) && RowIndices.fit(batch.tokens(), strides(q, k));
    if (!takes) {
      leaveToFlash("it takes bf16, heads side by side, and elements that an int32 counts");
    }
    return takes;
  }

  private static boolean isTaken(Tensor q, Tensor k, Tensor v) {
    return q.scalar_type().value == ScalarType.BFloat16.value
        && q.stride(1) == q.size(2)
        && k.stride(1) == k.size(2)
        && v.stride(1) == k.size(2)
        && v.stride(0) == k.stride(0);
  }

  /** Where the batch's rows lie, of which only the first layer has to tell the device. */
  private RowsOnDevice rows(Tensor q, Tensor k, TokenBatch batch) {
    heads =
        new AttentionShape(0, 0, (int) q.size(1), (int) k.size(1), (int) q.size(2), strides(q, k));
    Strides strides = heads.strides();
    if (lastRows == null || !lastRows.areThoseOf(batch.rowLengths(), strides)) {
      List<RowGroup> backward = backwardGroups(batch.rowLengths());
      close(lastRows);
      lastRows = null;
      lastRows = RowsOnDevice.of(batch.rowLengths(), strides, backward, device);
    }
    return lastRows;
  }

  private List<RowGroup> backwardGroups(int[] rowLengths) {
    return RowGroup.within(room, rowLengths, heads.heads(), heads.kvHeads());
  }

  private static Strides strides(Tensor q, Tensor k) {
    long output = q.size(1) * q.size(2);
    return new Strides(q.stride(0), k.stride(0), output, k.size(1) * k.size(2), q.size(1));
  }

  private AttentionShape shape(RowGroup group) {
    return new AttentionShape(
        group.rowBucket(),
        group.longest(),
        heads.heads() / group.headParts(),
        heads.kvHeads() / group.headParts(),
        heads.headDim(),
        heads.strides());
  }

  private static void putInputs(
      Map<AttentionOperand, Long> operands, Tensor q, Tensor k, Tensor v, Output output) {
    operands.put(QUERY, address(q));
    operands.put(KEY, address(k));
    operands.put(VALUE, address(v));
    operands.put(OUTPUT, address(output.output()));
    operands.put(LOGSUMEXP, address(output.logsumexp()));
  }

  /** What a backward computes on the way in memory, in the current tensor scope. */
  private Map<AttentionOperand, Long> room(Tensor q, Tensor k) {
    Map<AttentionOperand, Long> room = new EnumMap<>(AttentionOperand.class);
    room.put(DELTA, address(room(q.size(0) * q.size(1) * Float.BYTES)));
    if (q.size(1) != k.size(1)) {
      room.put(D_KEY_HEADS, address(room(q.numel() * Short.BYTES)));
      room.put(D_VALUE_HEADS, address(room(q.numel() * Short.BYTES)));
    }
    return room;
  }

  private Tensor room(long bytes) {
    return Tensors.empty(device, ScalarType.Byte, Math.max(1, bytes));
  }

  private static long address(Tensor tensor) {
    return tensor.data_ptr().address();
  }

  private void execute(Plan plan, Map<AttentionOperand, Long> operands, long workspace) {
    try (CUDAStream stream = torch_cuda.getCurrentCUDAStream((byte) device.cuda())) {
      plans.execute(plan, stream.stream(), operands, workspace);
    }
  }

  /** The sums as FlashAttention has them, {@code [heads, T]}; its states are read with dropout. */
  private Output asFlash(Output forward) {
    Tensor none = Tensors.zeros(device, ScalarType.Long, 2);
    return new Output(forward.output(), forward.logsumexp().t().contiguous(), none);
  }

  private void leaveToFlash(String why) {
    if (noticed.size() < MOST_NOTICES && noticed.add(why)) {
      notice.accept("attention by FlashAttention where cuDNN does not serve: " + why);
    }
  }

  private void tellFault(String what) {
    if (faults.size() < MOST_NOTICES && faults.add(what)) {
      notice.accept("cuDNN has failed, which it should not: " + what);
    }
  }

  /** Plans made or expected so far. */
  int planCount() {
    return plans.count();
  }

  private static void close(RowsOnDevice rows) {
    if (rows != null) {
      rows.close();
    }
  }

  /** What was started must have ended. */
  @Override
  public void close() {
    close(lastRows);
    plans.close();
  }
}
