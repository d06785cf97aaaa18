/** Programs that measure; nobody's run needs them. */
package dev.anneal.bench;
