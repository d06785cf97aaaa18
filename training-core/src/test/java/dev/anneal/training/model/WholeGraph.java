package dev.anneal.training.model;

import static dev.anneal.training.model.RmsNorm.rmsNorm;

import dev.anneal.training.tensor.DType;
import dev.anneal.training.tensor.Device;
import dev.anneal.training.tensor.Grads;
import dev.anneal.training.tensor.TensorScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** What the layer-by-layer backward must equal: autograd over the whole model at once. */
final class WholeGraph {
  private WholeGraph() {}

  /**
   * Adds the gradient of the summed cross-entropy to the model's parameters.
   *
   * @return the sum
   */
  static double forwardBackward(TrainableModel model, TokenBatch batch, Dropout dropout) {
    try (TensorScope scope = new TensorScope()) {
      Leaves leaves = new Leaves(model.parameters());
      Tensor frequencies = Rope.frequencies(model.config(), Device.CPU);
      Rope rope = Rope.at(batch.positions(), frequencies, DType.FP32);
      Tensor x = torch.embedding(model.embedTokens(leaves), batch.inputIds());
      for (int layer = 0; layer < model.config().numHiddenLayers(); layer++) {
        x = model.layer(layer, dropout, leaves).forward(x, rope, batch.rowLengths());
      }
      Tensor normed = rmsNorm(x, model.norm(leaves), model.config().rmsNormEps());
      Tensor logProbabilities = torch.linear(normed, model.lmHead(leaves)).log_softmax(-1);
      Tensor loss =
          logProbabilities
              .index_select(0, batch.predictors())
              .gather(1, batch.targets().unsqueeze(1))
              .sum()
              .neg();
      leaves.accumulate(Grads.grad(loss, leaves.tensors(), torch.ones_like(loss)), 0);
      return loss.item_double();
    }
  }
}
