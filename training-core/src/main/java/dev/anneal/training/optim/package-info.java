/** AdamW over parameters that ranks share in parts, clipping, and the learning rate's schedule. */
package dev.anneal.training.optim;
