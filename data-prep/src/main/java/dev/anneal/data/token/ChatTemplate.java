package dev.anneal.data.token;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.el.JinjavaInterpreterResolver;
import com.hubspot.jinjava.el.JinjavaProcessors;
import com.hubspot.jinjava.el.TruthyTypeConverter;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.InterpretException;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.fn.ELFunctionDefinition;
import com.hubspot.jinjava.objects.date.FixedDateTimeProvider;
import dev.anneal.data.InvalidDataException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import jinjava.de.odysseus.el.ExpressionFactoryImpl;
import jinjava.de.odysseus.el.tree.TreeStore;
import jinjava.de.odysseus.el.tree.impl.Cache;
import jinjava.javax.el.CompositeELResolver;
import jinjava.javax.el.ExpressionFactory;

/**
 * A Jinja chat template, rendered with the settings and functions of Hugging Face's {@code
 * apply_chat_template}. Safe for use by several threads.
 */
final class ChatTemplate {
  // Jinja's own rules, which Jinjava keeps apart from its old ones. Two of its "overrides" stay
  // off: one escapes control characters where objects are printed, one does not know "{{-".
  private static final LegacyOverrides RULES =
      LegacyOverrides.newBuilder()
          .withEvaluateMapKeys(true)
          .withIterateOverMapKeys(true)
          .withUseNaturalOperatorPrecedence(true)
          .withParseWhitespaceControlStrictly(true)
          .withAllowAdjacentTextNodes(true)
          .withUseTrimmingForNotesAndExpressions(true)
          .withKeepNullableLoopValues(true)
          .withHandleBackslashInQuotesOnly(true)
          .build();

  private static final int CACHED_EXPRESSIONS = 1000;

  /** What one conversation may take; published templates take less than a millisecond. */
  private static final Duration MAX_TIME = Duration.ofSeconds(10);

  private final String template;
  private final String where;
  private final Instant renderedAt;
  // each is used by one thread at a time
  private final Queue<ParsedTemplate> idle = new ConcurrentLinkedQueue<>();
  private final Map<String, Object> constants;

  ChatTemplate(TokenizerFiles files) {
    this.template = withoutTrailingNewline(files.chatTemplate());
    this.where = files.folder();
    this.renderedAt = files.renderedAt();
    this.constants = new HashMap<>(files.specialTokens());
    constants.put("strftime_now", true);
  }

  /**
   * The conversation as the template writes it.
   *
   * @param rowVariables what the template is given beside the messages, such as {@code tools}
   * @throws TemplateRefusalException if the template refuses the conversation
   * @throws InvalidDataException if the template cannot be rendered at all
   */
  String render(
      List<Message> messages, Map<String, Object> rowVariables, GenerationPrompt generationPrompt) {
    Map<String, Object> variables = new HashMap<>(constants);
    variables.putAll(rowVariables);
    variables.put("messages", messages.stream().map(ChatTemplate::toMap).toList());
    variables.put("add_generation_prompt", generationPrompt == GenerationPrompt.ADD);
    RenderResult result = render(variables);
    for (TemplateError error : result.getErrors()) {
      if (isFailure(error)) {
        throw failure(error);
      }
    }
    return result.getOutput();
  }

  private RenderResult render(Map<String, Object> variables) {
    ParsedTemplate taken = idle.poll();
    ParsedTemplate parsed = taken == null ? parse() : taken;
    try {
      return parsed.render(variables);
    } finally {
      idle.add(parsed);
    }
  }

  private ParsedTemplate parse() {
    try {
      return new ParsedTemplate(jinjava(renderedAt), template);
    } catch (InterpretException e) {
      throw failure(e.getLineNumber(), e.getMessage());
    } catch (RuntimeException e) {
      // Jinjava's scanner runs over the end of some broken tags
      throw failure(1, "it is not Jinja: " + e.getMessage());
    }
  }

  private static Jinjava jinjava(Instant now) {
    JinjavaConfig config =
        JinjavaConfig.newBuilder()
            .withTrimBlocks(true)
            .withLstripBlocks(true)
            .withKeepTrailingNewline(true)
            .withNestedInterpretationEnabled(false)
            .withInterperterFactory(PythonInterpreter.factory(MAX_TIME))
            .withDisabled(TemplateSandbox.DISABLED)
            .withMaxOutputSize(RenderLimits.MAX_TEXT)
            .withMaxStringLength(RenderLimits.MAX_TEXT)
            .withMaxListSize(RenderLimits.MAX_ELEMENTS)
            .withMaxMapSize(RenderLimits.MAX_ELEMENTS)
            .withRangeLimit(RenderLimits.MAX_RANGE)
            .withProcessors(
                JinjavaProcessors.newBuilder()
                    .withNodePreProcessor((node, interpreter) -> limits(interpreter).requireTime())
                    .build())
            .withElResolver(new PythonResolver())
            .withLegacyOverrides(RULES)
            .withTimeZone(ZoneOffset.UTC)
            .withDateTimeProvider(new FixedDateTimeProvider(now.toEpochMilli()))
            .build();
    Jinjava jinjava = new PythonJinja(config);
    Context context = jinjava.getGlobalContext();
    context.registerFilter(new TrimFilter());
    context.registerFilter(new LengthFilter());
    context.registerFilter(new ReplaceFilter());
    context.registerFilter(new FormatFilter());
    context.registerFilter(new ToJsonFilter());
    context.registerFilter(new ItemsFilter());
    context.registerExpTest(new IterableTest());
    context.registerTag(new GenerationTag());
    context.registerFunction(
        new ELFunctionDefinition(
            "", "raise_exception", TemplateFunctions.class, "raiseException", String.class));
    context.registerFunction(
        new ELFunctionDefinition(
            "", "strftime_now", TemplateFunctions.class, "strftimeNow", String.class));
    return jinjava;
  }

  private static RenderLimits limits(JinjavaInterpreter interpreter) {
    return ((PythonInterpreter) interpreter).limits();
  }

  private static final class PythonJinja extends Jinjava {
    private final ExpressionFactory expressions =
        new ExpressionFactoryImpl(
            new TreeStore(new PythonSyntax(), new Cache(CACHED_EXPRESSIONS)),
            new TruthyTypeConverter());

    PythonJinja(JinjavaConfig config) {
      super(config);
    }

    @Override
    public ExpressionFactory getExpressionFactory() {
      return expressions;
    }
  }

  private static final class PythonResolver extends CompositeELResolver {
    PythonResolver() {
      add(new PythonTexts());
      add(new TemplateSandbox());
      add(JinjavaInterpreterResolver.DEFAULT_RESOLVER_READ_ONLY);
    }
  }

  private RuntimeException failure(TemplateError error) {
    for (Throwable t = error.getException(); t != null; t = t.getCause()) {
      if (t instanceof TemplateRefusalException refusal) {
        return refusal;
      }
    }
    return failure(error.getLineno(), error.getMessage());
  }

  private InvalidDataException failure(int line, String message) {
    return new InvalidDataException(
        "The chat template of '"
            + where
            + "' cannot be rendered (line "
            + line
            + ": "
            + message
            + "): correct it, or name another with data.template.");
  }

  // Jinjava warns of an undefined value, which Jinja prints as nothing, but of broken syntax too.
  private static boolean isFailure(TemplateError error) {
    return error.getSeverity() == TemplateError.ErrorType.FATAL
        || error.getReason() == TemplateError.ErrorReason.SYNTAX_ERROR
        || error.getReason() == TemplateError.ErrorReason.DISABLED
        || error.getReason() == TemplateError.ErrorReason.INVALID_ARGUMENT;
  }

  private static Map<String, Object> toMap(Message message) {
    Map<String, Object> turn = new LinkedHashMap<>();
    turn.put("role", message.role());
    // transformers takes away what is null
    if (message.content() != null) {
      turn.put("content", message.content());
    }
    turn.putAll(message.more());
    return turn;
  }

  // Jinja drops one from the template; Jinjava would drop one from what is rendered.
  private static String withoutTrailingNewline(String template) {
    return template.endsWith("\n") ? template.substring(0, template.length() - 1) : template;
  }
}
