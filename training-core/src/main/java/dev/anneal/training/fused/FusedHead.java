package dev.anneal.training.fused;

import dev.anneal.training.kernel.Kernels;
import dev.anneal.training.kernel.Kernels.Normed;
import dev.anneal.training.kernel.Matmul;
import dev.anneal.training.kernel.Quantized;
import dev.anneal.training.kernel.Rows;
import dev.anneal.training.lora.LoraModel;
import dev.anneal.training.model.Head;
import dev.anneal.training.model.Objective;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.product.Matrix;
import dev.anneal.training.product.Products;
import dev.anneal.training.tensor.NoGrad;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;

/** The head of a model whose head is frozen; cross-entropy and its gradient in one kernel. */
final class FusedHead implements Head {
  private final LoraModel model;
  private final Kernels kernels;
  private final Products products;
  private final HeadProducts how;
  private final Objective objective;
  private final long chunk;

  /** The head by rows in FP8, {@code [V, H]}, and by columns; without FP8 empty. */
  private final Tensor rows;

  private final Tensor columns;

  /** Of the rows, {@code [V]} fp32, and of the columns, whose scales are in the gradient. */
  private final Tensor scale;

  private final Tensor ones;

  /**
   * In the current tensor scope.
   *
   * @param asked what products are to be computed in, if the objective allows it
   * @param objective whose gradient it is
   * @param maxLogits logits that exist at once
   * @throws IllegalArgumentException if a head that is split is to be multiplied in FP8
   */
  FusedHead(
      LoraModel model,
      Kernels kernels,
      Products products,
      HeadProducts asked,
      Objective objective,
      long maxLogits) {
    this.model = model;
    this.kernels = kernels;
    this.products = products;
    this.how = asked.during(objective);
    this.objective = objective;
    this.chunk = Math.max(1, maxLogits / model.config().vocabSize());
    long vocabSize = model.config().vocabSize();
    long hiddenSize = model.config().hiddenSize();
    boolean isFp8 = how != HeadProducts.EXACT;
    ScalarType fp8 = ScalarType.Float8_e4m3fn;
    Tensor like = model.norm();
    this.columns = Tensors.emptyLike(like, fp8, isFp8 ? hiddenSize : 0, vocabSize);
    this.rows = Tensors.emptyLike(like, fp8, how == HeadProducts.FP8 ? vocabSize : 0, hiddenSize);
    this.scale = Tensors.emptyLike(like, ScalarType.Float, isFp8 ? vocabSize : 0);
    this.ones =
        Tensors.emptyLike(like, ScalarType.Float, isFp8 ? hiddenSize : 0).fill_(Tensors.scalar(1));
    if (isFp8) {
      quantizeHead();
    }
  }

  private void quantizeHead() {
    if (!isWhole()) {
      throw new IllegalArgumentException(
          "products of the head in FP8 need a head that lies whole on the GPU");
    }
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Quantized head = kernels.quantize(model.vocabulary().lmHead(), null);
      kernels.transpose(head.bytes(), columns);
      scale.copy_(head.scale().view(-1));
      if (how == HeadProducts.FP8) {
        rows.view(ScalarType.Byte).copy_(head.bytes().view(ScalarType.Byte));
      }
    }
  }

  private boolean isWhole() {
    return model.decoder().placement().ranks().worldSize() == 1;
  }

  @Override
  public Tensor loss(Tensor hidden, TokenBatch batch) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Tensor x = hidden.index_select(0, batch.predictors());
      Rows normed = norm(x, Matmul.COMPUTE).output();
      return scope.keep(chunks(normed, batch, Objective.CROSS_ENTROPY, null));
    }
  }

  @Override
  public Tensor losses(Tensor hidden, TokenBatch batch) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Tensor x = hidden.index_select(0, batch.predictors());
      Tensor normed = norm(x, Matmul.COMPUTE).output().values();
      Tensor lmHead = model.vocabulary().lmHead();
      Tensor each = Tensors.emptyLike(normed, ScalarType.Double, batch.targetTokens());
      for (long first = 0; first < batch.targetTokens(); first += chunk) {
        try (TensorScope inner = new TensorScope()) {
          long count = Math.min(chunk, batch.targetTokens() - first);
          Tensor logits = torch.mm(normed.narrow(0, first, count), lmHead.t());
          each.narrow(0, first, count)
              .copy_(kernels.crossEntropy(logits, batch.targets().narrow(0, first, count)));
        }
      }
      return scope.keep(each);
    }
  }

  @Override
  public Result lossAndGradient(Tensor hidden, TokenBatch batch) {
    try (TensorScope scope = new TensorScope();
        NoGrad noGrad = new NoGrad()) {
      Tensor x = hidden.index_select(0, batch.predictors());
      Normed normed = norm(x, how == HeadProducts.FP8 ? Matmul.FP8 : Matmul.COMPUTE);
      // the gradient of a chunk takes the place of its input
      Tensor dNormed = normed.output().values();
      Tensor loss = chunks(normed.output(), batch, objective, dNormed);
      kernels.rmsNormBackward(dNormed, x, normed.rstd(), model.norm(), torch.zeros_like(x), null);
      return new Result(scope.keep(loss), scope.keep(batch.spread(dNormed)));
    }
  }

  private Normed norm(Tensor x, Matmul matmul) {
    return kernels.rmsNorm(x, model.norm(), model.config().rmsNormEps(), matmul);
  }

  /**
   * @param normed in FP8 too where the logits are to be
   * @param dNormed where the gradient goes; {@code null}: nowhere
   * @return {@code [1]} fp64
   */
  private Tensor chunks(Rows normed, TokenBatch batch, Objective goal, Tensor dNormed) {
    // a head that is brought together is let go of when the last chunk is enqueued
    try (TensorScope scope = new TensorScope()) {
      Tensor lmHead = model.vocabulary().lmHead();
      Tensor weights = goal.weights(batch);
      Tensor sum = Tensors.emptyLike(lmHead, ScalarType.Double, 1).zero_();
      for (long first = 0; first < batch.targetTokens(); first += chunk) {
        try (TensorScope inner = new TensorScope()) {
          long count = Math.min(chunk, batch.targetTokens() - first);
          Tensor targets = batch.targets().narrow(0, first, count);
          Tensor logits = logits(normed, lmHead, first, count);
          Smoothing smoothing = Smoothing.of(goal, logits, targets);
          Tensor each = smoothing.loss(kernels.crossEntropy(logits, targets));
          if (weights != null) {
            each.mul_(weights.narrow(0, first, count));
          }
          sum.add_(each.sum());
          if (dNormed != null) {
            gradient(smoothing, logits, lmHead, dNormed.narrow(0, first, count));
          }
        }
      }
      if (dNormed != null && weights != null) {
        dNormed.mul_(weights.to(ScalarType.Float).unsqueeze(1));
      }
      return scope.keep(sum);
    }
  }

  /** Of the rows from {@code first} on, {@code [count, V]}. */
  private Tensor logits(Rows normed, Tensor lmHead, long first, long count) {
    Tensor x = normed.values().narrow(0, first, count);
    if (normed.quantized() == null) {
      return torch.mm(x, lmHead.t());
    }
    Quantized quantized =
        new Quantized(
            normed.quantized().bytes().narrow(0, first, count),
            normed.quantized().scale().narrow(0, first, count));
    Tensor logits = x.new_empty(count, lmHead.size(0));
    products.multiplyScaled(quantized, Matrix.of(rows), scale, logits, 0);
    return logits;
  }

  /** {@code dNormed = dLogits W}, with what {@code smoothing} adds. */
  private void gradient(Smoothing smoothing, Tensor dLogits, Tensor lmHead, Tensor dNormed) {
    if (how == HeadProducts.EXACT) {
      smoothing.gradient(dNormed, dLogits, lmHead);
      return;
    }
    Quantized quantized = kernels.quantize(dLogits, scale);
    products.multiplyScaled(quantized, Matrix.of(columns), ones, dNormed, 0);
  }
}
