/**
 * Files under local paths and Hadoop URIs. Everything here fails with an {@code IOException}; what
 * a failure means to the user is said by the rooms above.
 */
package dev.anneal.storage;
