/** How input is refused, in one line that says what, where and what to do. */
package dev.anneal.data.error;
