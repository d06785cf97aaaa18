package dev.anneal.training.cudnn;

import static dev.anneal.training.cudnn.AttentionOperand.DELTA;
import static dev.anneal.training.cudnn.AttentionOperand.D_KEY;
import static dev.anneal.training.cudnn.AttentionOperand.D_KEY_HEADS;
import static dev.anneal.training.cudnn.AttentionOperand.D_KEY_STARTS;
import static dev.anneal.training.cudnn.AttentionOperand.D_OUTPUT;
import static dev.anneal.training.cudnn.AttentionOperand.D_QUERY;
import static dev.anneal.training.cudnn.AttentionOperand.D_VALUE;
import static dev.anneal.training.cudnn.AttentionOperand.D_VALUE_HEADS;
import static dev.anneal.training.cudnn.AttentionOperand.KEY;
import static dev.anneal.training.cudnn.AttentionOperand.KEY_STARTS;
import static dev.anneal.training.cudnn.AttentionOperand.LOGSUMEXP;
import static dev.anneal.training.cudnn.AttentionOperand.LOGSUMEXP_STARTS;
import static dev.anneal.training.cudnn.AttentionOperand.OUTPUT;
import static dev.anneal.training.cudnn.AttentionOperand.OUTPUT_STARTS;
import static dev.anneal.training.cudnn.AttentionOperand.QUERY;
import static dev.anneal.training.cudnn.AttentionOperand.QUERY_STARTS;
import static dev.anneal.training.cudnn.AttentionOperand.VALUE;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_ADD;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_DIV;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_EXP;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_LOG;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_MUL;
import static org.bytedeco.cuda.global.cudnn.CUDNN_POINTWISE_SUB;
import static org.bytedeco.cuda.global.cudnn.CUDNN_REDUCE_TENSOR_ADD;
import static org.bytedeco.cuda.global.cudnn.CUDNN_REDUCE_TENSOR_MAX;

/**
 * Causal attention of rows of different lengths, written as cuDNN's fused engines want it: they
 * take a graph for attention only if its operations come in this order and form. Shapes and the
 * order are those of <a href="https://github.com/NVIDIA/cudnn-frontend">cudnn-frontend</a>.
 */
final class AttentionGraphs {
  private AttentionGraphs() {}

  /** {@code O = softmax(Q K^T / sqrt(head_dim)) V}, and the logarithm of the softmax's sums. */
  static void forward(Graph graph, AttentionShape shape) {
    AttentionTensors tensors = new AttentionTensors(graph, shape);
    AttentionShape.Strides strides = shape.strides();
    GraphTensor keyStarts = tensors.starts(KEY_STARTS);
    GraphTensor query =
        tensors.heads(
            QUERY, Graph.Type.BF16, shape.heads(), strides.query(), tensors.starts(QUERY_STARTS));
    GraphTensor value =
        tensors.heads(VALUE, Graph.Type.BF16, shape.kvHeads(), strides.key(), keyStarts);
    GraphTensor output =
        tensors.heads(
            OUTPUT,
            Graph.Type.BF16,
            shape.heads(),
            strides.output(),
            tensors.starts(OUTPUT_STARTS));

    GraphTensor product =
        graph.matmul(
            query,
            tensors.turned(KEY, keyStarts),
            tensors.scores(Graph.Type.FP32),
            tensors.queriesByKeys());
    GraphTensor scores =
        tensors.masked(graph.pointwise(CUDNN_POINTWISE_MUL, product, tensors.scale()));
    GraphTensor largest = graph.reduce(CUDNN_REDUCE_TENSOR_MAX, scores, tensors.sums());
    GraphTensor powers =
        graph.pointwise(
            CUDNN_POINTWISE_EXP, graph.pointwise(CUDNN_POINTWISE_SUB, scores, largest), null);
    GraphTensor sum = graph.reduce(CUDNN_REDUCE_TENSOR_ADD, powers, tensors.sums());
    graph.pointwise(
        CUDNN_POINTWISE_ADD,
        largest,
        graph.pointwise(CUDNN_POINTWISE_LOG, sum, null),
        tensors.sums(LOGSUMEXP, tensors.starts(LOGSUMEXP_STARTS)));
    GraphTensor shares =
        graph.pointwise(CUDNN_POINTWISE_DIV, powers, sum, tensors.scores(Graph.Type.BF16));
    graph.matmul(shares, value, output, tensors.overKeys());
  }

  /**
   * {@code dQ}, {@code dK} and {@code dV} from {@code dO}, the same bits for the same input: where
   * {@code dQ} is the product itself, cuDNN keeps the gradient of the scores on a Hopper chip and
   * multiplies it by the keys afterwards. The other way, many blocks of keys that add to fp32 sums
   * of {@code dQ} in memory, is open in its order, and cuDNN's notes on engines do not say so.
   */
  static void backward(Graph graph, AttentionShape shape) {
    AttentionTensors tensors = new AttentionTensors(graph, shape);
    AttentionShape.Strides strides = shape.strides();
    int heads = shape.heads();
    GraphTensor keyStarts = tensors.starts(KEY_STARTS);
    GraphTensor outputStarts = tensors.starts(OUTPUT_STARTS);
    GraphTensor sumStarts = tensors.starts(LOGSUMEXP_STARTS);
    GraphTensor dKeyStarts = tensors.starts(D_KEY_STARTS);
    GraphTensor query =
        tensors.heads(QUERY, Graph.Type.BF16, heads, strides.query(), tensors.starts(QUERY_STARTS));
    GraphTensor output =
        tensors.heads(OUTPUT, Graph.Type.BF16, heads, strides.output(), outputStarts);
    GraphTensor dOutput =
        tensors.heads(D_OUTPUT, Graph.Type.BF16, heads, strides.output(), outputStarts);
    GraphTensor dQuery =
        tensors.heads(D_QUERY, Graph.Type.BF16, heads, strides.output(), outputStarts);
    GraphTensor key = tensors.turned(KEY, keyStarts);

    // delta = sum of dO O over a head; the product by one is where dropout would be
    GraphTensor products = graph.pointwise(CUDNN_POINTWISE_MUL, dOutput, output);
    GraphTensor delta = tensors.sums(DELTA, sumStarts);
    graph.pointwise(
        CUDNN_POINTWISE_MUL,
        graph.reduce(CUDNN_REDUCE_TENSOR_ADD, products, tensors.sums()),
        graph.constant(1),
        delta);

    // the softmax's shares P again, and dV = P^T dO
    GraphTensor product =
        graph.matmul(query, key, tensors.scores(Graph.Type.FP32), tensors.queriesByKeys());
    GraphTensor lessSum =
        graph.pointwise(
            CUDNN_POINTWISE_SUB,
            graph.pointwise(CUDNN_POINTWISE_MUL, product, tensors.scale()),
            tensors.sums(LOGSUMEXP, sumStarts));
    GraphTensor shares = graph.pointwise(CUDNN_POINTWISE_EXP, tensors.masked(lessSum), null);
    KeyGradient dValue = new KeyGradient(D_VALUE, D_VALUE_HEADS, dKeyStarts);
    dValue.write(graph, tensors, shape, shares, dOutput);

    // dS = P (dO V^T - delta) / sqrt(head_dim), and dK = dS^T Q
    GraphTensor dShares =
        graph.matmul(
            dOutput,
            tensors.turned(VALUE, keyStarts),
            tensors.scores(Graph.Type.FP32),
            tensors.queriesByKeys());
    GraphTensor dScores =
        graph.pointwise(
            CUDNN_POINTWISE_MUL,
            graph.pointwise(
                CUDNN_POINTWISE_MUL, graph.pointwise(CUDNN_POINTWISE_SUB, dShares, delta), shares),
            tensors.scale());
    new KeyGradient(D_KEY, D_KEY_HEADS, dKeyStarts).write(graph, tensors, shape, dScores, query);

    // dQ = dS K
    GraphTensor keys = tensors.turnedBack(key, keyStarts);
    graph.matmul(dScores, keys, dQuery, tensors.overKeys());
  }

  /**
   * A gradient of keys or values.
   *
   * @param perHead that of every query head, which a group of heads then sums
   */
  private record KeyGradient(
      AttentionOperand operand, AttentionOperand perHead, GraphTensor starts) {
    /** {@code scores^T rows}. */
    void write(
        Graph graph,
        AttentionTensors tensors,
        AttentionShape shape,
        GraphTensor scores,
        GraphTensor rows) {
      long stride = shape.strides().keyGradient();
      GraphTensor gradient =
          tensors.heads(operand, Graph.Type.BF16, shape.kvHeads(), stride, starts);
      if (!shape.grouped()) {
        graph.matmul(tensors.turnedScores(scores), rows, gradient, tensors.overQueries());
        return;
      }
      // cuDNN multiplies the starts by the group as the stride is
      long group = shape.heads() / shape.kvHeads();
      GraphTensor all =
          tensors.heads(perHead, Graph.Type.BF16, shape.heads(), stride * group, starts);
      graph.matmul(tensors.turnedScores(scores), rows, all, tensors.overQueries());
      graph.reduce(CUDNN_REDUCE_TENSOR_ADD, all, gradient);
    }
  }
}
