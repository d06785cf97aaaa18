/**
 * Chat templates as transformers renders them: Jinja2 3.1 with Python's values, in a sandbox, with
 * limits. Knows nothing of the rest of the project.
 *
 * @see <a href="https://jinja.palletsprojects.com/en/stable/templates/">Jinja2's templates</a>
 */
package dev.anneal.jinja;
