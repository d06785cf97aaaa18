/**
 * The mathematics of a Llama, with the names of transformers.
 *
 * <p>A {@link dev.anneal.training.model.TrainableModel} gives weights, a {@link
 * dev.anneal.training.model.LayerStack} computes layers with them, a {@link
 * dev.anneal.training.model.Head} the loss, and {@link dev.anneal.training.model.Llama} is all of
 * it, forward and backward. The reference is {@link dev.anneal.training.model.AutogradLayers}: a
 * {@link dev.anneal.training.model.LlamaLayer} of {@link
 * dev.anneal.training.model.LlamaLayer.Weights} in the compute dtype, frozen or trained, and {@link
 * dev.anneal.training.model.LayerAdapters}. The names of weights are those of {@link
 * dev.anneal.training.model.LinearModule}; a {@link dev.anneal.training.model.ModuleGroup} is those
 * that one product computes. How frozen weights are stored is the matter of {@code weights}, what
 * is kept between forward and backward that of {@code activations}.
 */
package dev.anneal.training.model;
