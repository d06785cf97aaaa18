/** What the machine under this process has, as Linux tells it. */
package dev.anneal.training.host;
