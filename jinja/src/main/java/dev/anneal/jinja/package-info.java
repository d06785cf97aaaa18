/**
 * Chat templates as transformers renders them: Jinja2 3.1 with Python's values, in a sandbox, with
 * limits. Knows nothing of the rest of the project.
 *
 * <p>A template is refused, and says so, that asks for
 *
 * <ul>
 *   <li>what Python makes anew each time: {@code random} of several elements, {@code lipsum}, the
 *       text of a generator, a method or a function, which holds its place in memory, {@code
 *       pprint} of keys that cannot be compared, the order of a set ({@code a.keys() - b.keys()})
 *       that is not sorted, and {@code sameas} for equal texts, tuples, and numbers that are not
 *       small integers;
 *   <li>what templates have no use for: bytes ({@code encode}, {@code to_bytes}), complex numbers,
 *       and rare attributes of generators, sets, views of mappings and escaped texts;
 *   <li>other templates, by {@code include}, {@code import} or {@code extends}.
 * </ul>
 *
 * @see <a href="https://jinja.palletsprojects.com/en/stable/templates/">Jinja2's templates</a>
 */
package dev.anneal.jinja;
