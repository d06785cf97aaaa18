package dev.anneal.spark.generate;

import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.anneal.data.token.ChatTokenizer;
import dev.anneal.data.token.GenerationPrompt;
import dev.anneal.data.token.Message;
import dev.anneal.data.token.TemplateRefusalException;
import dev.anneal.data.token.TokenizerFiles;
import dev.anneal.spark.AnnealVersion;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.preflight.GenerationCheck;
import dev.anneal.spark.storage.ModelLocation;
import dev.anneal.spark.storage.StorageModelFolder;
import dev.anneal.spark.train.GenerationTask;
import dev.anneal.spark.train.Specs;
import dev.anneal.storage.Storage;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.GenerationSpec;
import dev.anneal.training.generate.StopTokens;
import dev.anneal.training.model.config.LlamaConfig;
import dev.anneal.training.model.config.ModelFingerprint;
import dev.anneal.training.model.config.ModelSource;
import java.io.IOException;
import java.time.Instant;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.apache.spark.SparkConf;

/** A model that can be asked, with its tokenizer, and how it is asked. */
final class AskedModel implements AutoCloseable {
  private static final JsonMapper JSON = new JsonMapper();

  private final AnnealConfig config;
  private final Decoding decoding;
  private final Storage storage;
  private final LlamaConfig shape;
  private final String folder;
  private final ChatTokenizer tokenizer;

  private AskedModel(
      AnnealConfig config,
      Decoding decoding,
      Storage storage,
      LlamaConfig shape,
      Instant renderedAt) {
    this.config = config;
    this.decoding = decoding;
    this.storage = storage;
    this.shape = shape;
    this.folder = GenerationCheck.tokenizer(config);
    TokenizerFiles files = TokenizerFiles.read(folder, storage);
    this.tokenizer = ChatTokenizer.of(renderedAt == null ? files : files.renderedAt(renderedAt));
  }

  /**
   * Checks that it can be asked.
   *
   * @param renderedAt what its chat template takes for now; {@code null} for now
   * @throws BadRequestException if it cannot
   */
  static AskedModel check(
      AnnealConfig config,
      Decoding decoding,
      SparkConf spark,
      Storage storage,
      Instant renderedAt) {
    LlamaConfig shape = GenerationCheck.check(config, spark, storage);
    return new AskedModel(config, decoding, storage, shape, renderedAt);
  }

  ChatTokenizer tokenizer() {
    return tokenizer;
  }

  Decoding decoding() {
    return decoding;
  }

  AnnealConfig config() {
    return config;
  }

  /** Tokens that prompt and continuation may have together. */
  int context() {
    return shape.maxPositionEmbeddings();
  }

  /**
   * The tokens of a prompt.
   *
   * @throws BadRequestException if the model cannot go on from it
   */
  int[] ids(AskedPrompt prompt) {
    int[] ids = encoded(prompt);
    if (ids.length == 0) {
      throw new BadRequestException(
          "The prompt in %s is empty: write something.".formatted(prompt.place()));
    }
    if (ids.length > context()) {
      throw new BadRequestException(
          "The prompt in %s has %s tokens, but the model's context has %s: shorten it."
              .formatted(prompt.place(), ids.length, context()));
    }
    int largest = IntStream.of(ids).max().getAsInt();
    if (largest >= shape.vocabSize()) {
      throw new BadRequestException(
          "The prompt in %s has the token %s, but the model embeds only %s tokens: check model.tokenizer."
              .formatted(prompt.place(), largest, shape.vocabSize()));
    }
    return ids;
  }

  /** By the chat template; where there is none the texts alone, with what begins a text. */
  private int[] encoded(AskedPrompt prompt) {
    if (tokenizer.templateSha256().isPresent()) {
      try {
        return rendered(prompt.messages());
      } catch (TemplateRefusalException e) {
        throw new BadRequestException(
            "The model's chat template does not take the prompt in %s (%s): correct it."
                .formatted(prompt.place(), e.getMessage()),
            e);
      }
    }
    if (prompt.messages().size() > 1) {
      throw new BadRequestException(
          "The prompt in %s is a conversation, but the tokenizer has no chat template: give a text."
              .formatted(prompt.place()));
    }
    int[] text = tokenizer.encode((String) prompt.messages().get(0).content());
    return IntStream.concat(IntStream.of(tokenizer.idsBeforeTexts()), IntStream.of(text)).toArray();
  }

  /**
   * A conversation with the header of the answer behind it.
   *
   * @throws TemplateRefusalException if the template does not take it
   */
  int[] rendered(List<Message> messages) {
    return tokenizer.encode(tokenizer.render(messages, GenerationPrompt.ADD));
  }

  /** What the cluster does. */
  GenerationTask task(GenerationTask.Line line) {
    GenerationSpec generation =
        new GenerationSpec(decoding.maxTokens(), decoding.sampling(), stopTokens());
    return new GenerationTask(
        config,
        Specs.generation(config, decoding.batchSize(), generation),
        line,
        new GenerationTask.Texts(decoding.stops(), folder),
        storage);
  }

  private Set<Integer> stopTokens() {
    try {
      Set<Integer> ids = new HashSet<>(StopTokens.of(source(), shape));
      tokenizer.eosId().ifPresent(ids::add);
      for (String stop : decoding.stops()) {
        int[] stopIds = tokenizer.encode(stop);
        // marks are no part of the text that stop strings are looked for in
        if (stopIds.length == 1 && tokenizer.stopsGeneration(stopIds[0])) {
          ids.add(stopIds[0]);
        }
      }
      return ids;
    } catch (IOException e) {
      throw new BadRequestException(Storage.cannotRead(config.model().path(), e), e);
    }
  }

  private ModelSource source() throws IOException {
    return ModelLocation.of(config.model().path()).open(storage, config.training().seed());
  }

  Answer answer(Completion completion) {
    return Answer.of(completion, tokenizer, decoding.stops());
  }

  /** Everything that decides what comes of a prompt, and its name. */
  SortedMap<String, String> identity() throws IOException {
    SortedMap<String, String> identity = new TreeMap<>();
    identity.put("version", AnnealVersion.anneal());
    identity.put("device", config.cluster().gpusPerNode() > 0 ? "gpu" : "cpu");
    identity.put("model", ModelFingerprint.of(source(), shape));
    String adapter = config.lora().initFrom();
    identity.put(
        "adapter",
        adapter == null
            ? "none"
            : ModelFingerprint.ofAdapter(new StorageModelFolder(adapter, storage)));
    identity.put("tokenizer", tokenizer.tokenizerSha256());
    identity.put("chat template", tokenizer.templateSha256().orElse("none"));
    identity.put("base_weights.dtype", config.baseWeights().dtype().toString());
    identity.put("base_weights.exact_edges", Integer.toString(config.baseWeights().exactEdges()));
    identity.put("compute.dtype", config.compute().dtype().toString());
    identity.put("compute.matmul", config.compute().matmul().toString());
    identity.put("max_tokens", Integer.toString(decoding.maxTokens()));
    identity.put("batch_size", Integer.toString(decoding.batchSize()));
    identity.put("stop", json(decoding.stops()));
    identity.put("stop tokens", json(new TreeSet<>(stopTokens())));
    identity.put("temperature", Double.toString(decoding.sampling().temperature()));
    identity.put("top_k", Integer.toString(decoding.sampling().topK()));
    identity.put("top_p", Double.toString(decoding.sampling().topP()));
    identity.put("repetition_penalty", Double.toString(decoding.sampling().repetitionPenalty()));
    identity.put("seed", Long.toString(decoding.sampling().seed()));
    return identity;
  }

  /** Texts may hold what else would stand between them. */
  private static String json(Collection<?> values) throws IOException {
    return JSON.writeValueAsString(values);
  }

  @Override
  public void close() {
    tokenizer.close();
  }
}
