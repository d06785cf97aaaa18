package dev.anneal.training.generate;

import dev.anneal.training.InvalidModelException;
import dev.anneal.training.collective.Collectives;
import dev.anneal.training.generate.Completion.Ending;
import dev.anneal.training.model.CachedAttention;
import dev.anneal.training.model.Llama;
import dev.anneal.training.model.TokenBatch;
import dev.anneal.training.tensor.TensorScope;
import dev.anneal.training.tensor.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * Goes on from prompts, all of a call side by side: a pass over the layers gives the next token of
 * each. All ranks go through the same passes, which split weights need, and rank 0 alone decides
 * what comes next and what ends: ranks that differ in a rounding would wait for each other forever.
 */
public final class Generator {
  /** Tokens by which a sequence's room in the cache grows. */
  private static final int BLOCK = 256;

  /** Tokens of a pass over prompts; of a longer prompt it takes several. */
  private static final int PASS_TOKENS = 8192;

  private final Llama llama;
  private final RankZero rankZero;
  private final Runnable check;
  private final CacheReader reader;
  private final Sizes sizes;

  /**
   * @param block tokens by which a sequence's room in the cache grows
   * @param passTokens most tokens of a pass over prompts
   */
  record Sizes(int block, int passTokens) {}

  /**
   * A generator with a model.
   *
   * @param world all ranks, which make the same calls
   * @param check throws what has ended a group of this rank, if anything has; see {@link
   *     Collectives#check}
   */
  public Generator(Llama llama, Collectives world, Runnable check) {
    this(llama, world, check, new Sizes(BLOCK, PASS_TOKENS));
  }

  Generator(Llama llama, Collectives world, Runnable check, Sizes sizes) {
    this.llama = llama;
    this.rankZero = new RankZero(world, check);
    this.check = check;
    this.reader = CacheReader.of(llama);
    this.sizes = sizes;
  }

  /**
   * Goes on from {@code prompts}, the same on every rank, until all continuations have ended.
   *
   * @param stopStrings asked on rank 0
   * @return in the order of the prompts, the same on every rank
   * @throws InvalidPromptException if a prompt is empty or longer than the model's context
   * @throws InvalidModelException on rank 0, if the model's logits are not finite
   */
  public List<Completion> generate(
      List<Prompt> prompts,
      GenerationSpec spec,
      StopStrings stopStrings,
      GenerationListener listener) {
    prompts.forEach(this::check);
    try (KvCache cache = new KvCache(llama, reader, sizes.block())) {
      return new Decoding(cache, spec, listener).run(prompts, stopStrings);
    }
  }

  private void check(Prompt prompt) {
    int context = llama.config().maxPositionEmbeddings();
    if (prompt.ids().length == 0) {
      throw new InvalidPromptException(
          "Prompt %s has no token: begin it with one.".formatted(prompt.index()));
    }
    if (prompt.ids().length > context) {
      throw new InvalidPromptException(
          "Prompt %s has %s tokens, but the model's context has %s: shorten it."
              .formatted(prompt.index(), prompt.ids().length, context));
    }
  }

  /** One call. */
  private final class Decoding {
    private final KvCache cache;
    private final GenerationSpec spec;
    private final GenerationListener listener;
    private final Sampler sampler;

    Decoding(KvCache cache, GenerationSpec spec, GenerationListener listener) {
      this.cache = cache;
      this.spec = spec;
      this.listener = listener;
      this.sampler = new Sampler(spec.sampling());
    }

    List<Completion> run(List<Prompt> prompts, StopStrings stopStrings) {
      List<Sequence> all = new ArrayList<>();
      for (Prompt prompt : prompts) {
        Sequence sequence = new Sequence(prompt, most(prompt), stopStrings.watch(prompt));
        all.add(sequence);
        if (sequence.length() >= most(prompt)) {
          end(sequence, spec.maxNewTokens() == 0 ? Ending.MAX_TOKENS : Ending.CONTEXT);
        }
      }
      readPrompts(live(all));
      for (List<Sequence> live = live(all); !live.isEmpty(); live = live(live)) {
        int[] one = new int[live.size()];
        Arrays.fill(one, 1);
        cache.makeRoom(slots(live), one);
        pass(live, one);
      }
      return all.stream().map(Sequence::completion).toList();
    }

    /** Tokens that {@code prompt} and its continuation may have together. */
    private int most(Prompt prompt) {
      long wanted = (long) prompt.ids().length + spec.maxNewTokens();
      return (int) Math.min(wanted, llama.config().maxPositionEmbeddings());
    }

    private static List<Sequence> live(List<Sequence> sequences) {
      return sequences.stream().filter(sequence -> !sequence.hasEnded()).toList();
    }

    private static List<KvCache.Slot> slots(List<Sequence> sequences) {
      return sequences.stream().map(Sequence::slot).toList();
    }

    /** Whole prompts side by side, and those alone in pieces that are longer than a pass. */
    private void readPrompts(List<Sequence> sequences) {
      cache.makeRoom(slots(sequences), unseen(sequences));
      List<Sequence> together = new ArrayList<>();
      int tokens = 0;
      for (Sequence sequence : sequences) {
        if (tokens + sequence.length() > sizes.passTokens() && !together.isEmpty()) {
          pass(together, unseen(together));
          together.clear();
          tokens = 0;
        }
        while (sequence.unseen() > sizes.passTokens()) {
          pass(List.of(sequence), new int[] {sizes.passTokens()});
        }
        together.add(sequence);
        tokens += sequence.unseen();
      }
      if (!together.isEmpty()) {
        pass(together, unseen(together));
      }
    }

    private static int[] unseen(List<Sequence> sequences) {
      return sequences.stream().mapToInt(Sequence::unseen).toArray();
    }

    /**
     * Takes {@code counts} tokens of every sequence through the layers, and appends what follows
     * where these were its last.
     */
    private void pass(List<Sequence> sequences, int[] counts) {
      try (TensorScope scope = new TensorScope()) {
        List<int[]> rows = new ArrayList<>();
        int[] positions = new int[counts.length];
        List<Sequence> asked = new ArrayList<>();
        long[] last = new long[counts.length];
        long end = 0;
        for (int i = 0; i < counts.length; i++) {
          Sequence sequence = sequences.get(i);
          rows.add(sequence.next(counts[i]));
          positions[i] = sequence.length() - sequence.unseen();
          end += counts[i];
          if (sequence.unseen() == counts[i]) {
            last[asked.size()] = end - 1;
            asked.add(sequence);
          }
        }
        CachedAttention attention = cache.extend(slots(sequences), counts);
        Tensor logits =
            llama.logits(
                TokenBatch.after(rows, positions),
                Tensors.of(Arrays.copyOf(last, asked.size())),
                attention);
        if (!asked.isEmpty()) {
          decide(asked, logits);
        }
      }
    }

    /** Appends what rank 0 chooses. */
    private void decide(List<Sequence> sequences, Tensor logits) {
      int count = sequences.size();
      long[] decided = new long[2 * count];
      if (rankZero.isHere()) {
        double[] chosen = Tensors.doubles(sampler.next(logits, sequences).cpu());
        // a lost peer ends the wait with numbers that mean nothing
        check.run();
        for (int i = 0; i < count; i++) {
          requireFinite(sequences.get(i), chosen[count + i]);
          int token = (int) chosen[i];
          Ending ending = ending(sequences.get(i), token);
          decided[i] = token;
          decided[count + i] = Ending.code(ending);
        }
      }
      decided = rankZero.same(decided, logits);
      for (int i = 0; i < count; i++) {
        apply(sequences.get(i), (int) decided[i], Ending.of(decided[count + i]));
      }
    }

    private void requireFinite(Sequence sequence, double logit) {
      if (!Double.isFinite(logit)) {
        throw new InvalidModelException(
            "After token %s of prompt %s the model's logits are %s: check its weights and those of the adapter."
                .formatted(sequence.length(), sequence.prompt().index(), logit));
      }
    }

    private Ending ending(Sequence sequence, int token) {
      if (spec.stopTokens().contains(token)) {
        return Ending.STOP_TOKEN;
      }
      if (sequence.watcher().ends(token)) {
        return Ending.STOP_STRING;
      }
      if (sequence.generated() + 1 == spec.maxNewTokens()) {
        return Ending.MAX_TOKENS;
      }
      return sequence.length() + 1 == llama.config().maxPositionEmbeddings()
          ? Ending.CONTEXT
          : null;
    }

    private void apply(Sequence sequence, int token, Ending ending) {
      if (ending != Ending.STOP_TOKEN) {
        sequence.append(token);
        listener.onToken(sequence.prompt(), token);
      }
      if (ending != null) {
        end(sequence, ending);
      }
    }

    private void end(Sequence sequence, Ending ending) {
      sequence.end(ending);
      listener.onEnd(sequence.completion());
    }
  }
}
