/** How ranks find each other: a store of rank 0, behind a gate that admits its own peers alone. */
package dev.anneal.training.collective.rendezvous;
