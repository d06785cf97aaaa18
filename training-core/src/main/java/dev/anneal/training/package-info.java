/**
 * What training needs and Spark does not: a model of the Llama family, its adapters, and the loop
 * over them, on one rank or on many. Here stands only how a model is refused; every room below has
 * its own words.
 */
package dev.anneal.training;
