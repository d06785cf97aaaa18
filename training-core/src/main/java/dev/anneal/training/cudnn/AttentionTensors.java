package dev.anneal.training.cudnn;

import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_BINARY_SELECT;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_CMP_GE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_CMP_LT;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_LOGICAL_AND;

/** The tensors of attention's graphs, and what both directions do with scores. */
final class AttentionTensors {
  private static final int QUERY_AXIS = 2;
  private static final int KEY_AXIS = 3;

  private final Graph graph;
  private final AttentionShape shape;
  private final GraphTensor queryLengths;
  private final GraphTensor keyLengths;

  AttentionTensors(Graph graph, AttentionShape shape) {
    this.graph = graph;
    this.shape = shape;
    this.queryLengths = perRow(AttentionOperand.QUERY_LENGTHS, shape.rows());
    this.keyLengths = perRow(AttentionOperand.KEY_LENGTHS, shape.rows());
  }

  private GraphTensor perRow(AttentionOperand operand, long count) {
    return graph.operand(
        operand, Graph.Type.INT32, new long[] {count, 1, 1, 1}, new long[] {1, 1, 1, 1});
  }

  /** Where rows begin in some operands. */
  GraphTensor starts(AttentionOperand operand) {
    return perRow(operand, shape.rows() + 1L);
  }

  /** {@code [rows, heads, longest, head_dim]}, token by token in memory. */
  GraphTensor heads(
      AttentionOperand operand, Graph.Type type, int heads, long stride, GraphTensor starts) {
    return graph.operand(operand, type, dims(heads), strides(stride), starts);
  }

  private long[] dims(int heads) {
    return new long[] {shape.rows(), heads, shape.longest(), shape.headDim()};
  }

  private long[] strides(long token) {
    return new long[] {shape.longest() * token, shape.headDim(), token, 1};
  }

  /** Keys or values with the last two dimensions changed over. */
  GraphTensor turned(AttentionOperand operand, GraphTensor starts) {
    long token = shape.strides().key();
    long[] dims = {shape.rows(), shape.kvHeads(), shape.headDim(), shape.longest()};
    long[] strides = {shape.longest() * token, shape.headDim(), 1, token};
    return graph.operand(operand, Graph.Type.BF16, dims, strides, starts);
  }

  /** What {@link #turned} changed, changed back. */
  GraphTensor turnedBack(GraphTensor turned, GraphTensor starts) {
    long[] dims = dims(shape.kvHeads());
    long[] strides = strides(shape.strides().key());
    return graph.reshape(turned, graph.virtual(Graph.Type.BF16, dims, strides, starts));
  }

  /** A number for each query and head, in memory. */
  GraphTensor sums(AttentionOperand operand, GraphTensor starts) {
    long token = shape.strides().logsumexp();
    long[] strides = {shape.longest() * token, 1, token, 1};
    return graph.operand(operand, Graph.Type.FP32, sumDims(), strides, starts);
  }

  /** Likewise, on the way. */
  GraphTensor sums() {
    long tokens = shape.longest();
    return graph.virtual(
        Graph.Type.FP32, sumDims(), new long[] {shape.heads() * tokens, tokens, 1, 1});
  }

  private long[] sumDims() {
    return new long[] {shape.rows(), shape.heads(), shape.longest(), 1};
  }

  /** {@code [rows, heads, longest, longest]}: for each query a number of each key, on the way. */
  GraphTensor scores(Graph.Type type) {
    long tokens = shape.longest();
    return graph.virtual(
        type,
        new long[] {shape.rows(), shape.heads(), tokens, tokens},
        new long[] {shape.heads() * tokens * tokens, tokens * tokens, tokens, 1});
  }

  /** For each key a number of each query, in bf16. */
  GraphTensor turnedScores(GraphTensor scores) {
    long[] strides = scores.strides().clone();
    strides[QUERY_AXIS] = scores.strides()[KEY_AXIS];
    strides[KEY_AXIS] = scores.strides()[QUERY_AXIS];
    return graph.reshape(scores, graph.virtual(Graph.Type.BF16, scores.dims(), strides));
  }

  /** {@code 1 / sqrt(head_dim)}. */
  GraphTensor scale() {
    return graph.constant((float) (1 / Math.sqrt(shape.headDim())));
  }

  /** Scores that are minus infinity beyond a row's end, and where a key comes after its query. */
  GraphTensor masked(GraphTensor scores) {
    GraphTensor inQueries =
        graph.truths(
            CUDNN_POINTWISE_CMP_LT,
            graph.index(QUERY_AXIS, Graph.Type.INT32, scores),
            queryLengths);
    GraphTensor inKeys =
        graph.truths(
            CUDNN_POINTWISE_CMP_LT, graph.index(KEY_AXIS, Graph.Type.INT32, scores), keyLengths);
    GraphTensor in = graph.truths(CUDNN_POINTWISE_LOGICAL_AND, inQueries, inKeys);
    GraphTensor padded = orMinusInfinity(scores, in);
    // engines know this mask by its indices computed in fp32
    GraphTensor notAfter =
        graph.truths(
            CUDNN_POINTWISE_CMP_GE,
            graph.index(QUERY_AXIS, Graph.Type.FP32, padded),
            graph.index(KEY_AXIS, Graph.Type.FP32, padded));
    return orMinusInfinity(padded, notAfter);
  }

  private GraphTensor orMinusInfinity(GraphTensor scores, GraphTensor where) {
    return graph.select(
        CUDNN_POINTWISE_BINARY_SELECT, scores, graph.constant(Float.NEGATIVE_INFINITY), where);
  }

  /** A product of queries with keys: {@code [longest, longest]}. */
  Graph.Extent queriesByKeys() {
    return new Graph.Extent(queryLengths, keyLengths, null);
  }

  /** A product that sums over keys. */
  Graph.Extent overKeys() {
    return new Graph.Extent(queryLengths, null, keyLengths);
  }

  /** A product that sums over queries. */
  Graph.Extent overQueries() {
    return new Graph.Extent(keyLengths, null, queryLengths);
  }
}
