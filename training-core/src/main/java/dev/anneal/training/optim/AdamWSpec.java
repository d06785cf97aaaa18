package dev.anneal.training.optim;

import java.io.Serializable;

/** Hyper-parameters of AdamW (<a href="https://arxiv.org/abs/1711.05101">Loshchilov 2017</a>). */
public record AdamWSpec(
    double learningRate, double weightDecay, double beta1, double beta2, double eps)
    implements Serializable {}
