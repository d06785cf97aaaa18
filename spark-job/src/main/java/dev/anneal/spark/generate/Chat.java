package dev.anneal.spark.generate;

import dev.anneal.data.error.InvalidDataException;
import dev.anneal.data.token.Message;
import dev.anneal.data.token.SpecialTokens;
import dev.anneal.data.token.TemplateRefusalException;
import dev.anneal.spark.BadRequestException;
import dev.anneal.spark.DeployMode;
import dev.anneal.spark.JobFailedException;
import dev.anneal.spark.Redaction;
import dev.anneal.spark.cluster.Slots;
import dev.anneal.spark.config.AnnealConfig;
import dev.anneal.spark.progress.ProgressDisplay;
import dev.anneal.spark.session.OwnSession;
import dev.anneal.spark.session.RunSession;
import dev.anneal.storage.Storage;
import dev.anneal.training.InvalidModelException;
import dev.anneal.training.generate.Completion;
import dev.anneal.training.generate.Prompt;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.apache.spark.util.SignalUtils;
import scala.Function0;

/** A conversation with a model, turn by turn, with all that was said before. */
public final class Chat {
  private static final long ROUND_MILLIS = 200;
  private static final Duration LEAVING = Duration.ofMinutes(1);
  private static final String HELP =
      """
      /system TEXT  what the model is told before the conversation; without TEXT nothing
      /reset        begins the conversation anew
      /exit         ends it, as the end of the input and Ctrl-C do; Ctrl-C in an answer ends that alone
      //TEXT        says a text that begins with /""";

  private final AskedModel model;
  private final ChatTerminal terminal;
  private final ChatDesk desk;
  private final List<Message> history = new ArrayList<>();
  private String system = "";
  private long turns;
  private volatile boolean answering;
  private volatile boolean over;

  private Chat(AskedModel model, ChatTerminal terminal, ChatDesk desk) {
    this.model = model;
    this.terminal = terminal;
    this.desk = desk;
  }

  /**
   * Holds it until whoever types has had enough.
   *
   * @param notes for how it begins
   * @throws BadRequestException if the model cannot be asked in this way
   * @throws JobFailedException if the model is lost on the way
   */
  public static void execute(
      AnnealConfig config,
      Decoding decoding,
      RunSession session,
      ChatTerminal terminal,
      PrintWriter notes) {
    if (DeployMode.of(session.conf()) == DeployMode.CLUSTER) {
      throw new BadRequestException(
          "--chat reads from this terminal, which a driver in the cluster does not see: submit it with --deploy-mode client.");
    }
    Redaction redaction = Redaction.of(session.conf(), session.hadoop());
    ProgressDisplay display =
        new ProgressDisplay(notes, ProgressDisplay.Medium.FILE, System::nanoTime, redaction::mask);
    Storage storage = new Storage(session.hadoop());
    try (AskedModel model = AskedModel.check(config, decoding, session.conf(), storage, null)) {
      if (model.tokenizer().templateSha256().isEmpty()) {
        throw new BadRequestException(
            "The tokenizer has no chat template, which --chat needs: ask it with --prompt.");
      }
      ChatDesk desk = new ChatDesk(display);
      display.phase("Starting Spark on " + Slots.master(session.conf()));
      new Chat(model, terminal, desk).run(session);
      session.succeeded();
    } catch (InvalidDataException | InvalidModelException e) {
      throw new BadRequestException(e.getMessage(), e);
    }
  }

  private void run(RunSession session) {
    if (session instanceof OwnSession) {
      SignalUtils.register("INT", (Function0<Object>) this::interrupt);
    }
    try (ModelService service =
        ModelService.start(session.open().sparkContext(), model, desk, true)) {
      while (!terminal.hasLeft() && !desk.isReady(ROUND_MILLIS)) {
        requireThere(service);
      }
      Optional<String> line = terminal.line(() -> requireThere(service));
      while (line.isPresent() && !line.get().strip().matches("/(exit|quit)")) {
        take(line.get(), service);
        line = terminal.line(() -> requireThere(service));
      }
      desk.close();
      if (desk.isReady(0)) {
        service.hasEnded(LEAVING);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new JobFailedException("The chat was interrupted.", e);
    } finally {
      over = true;
    }
  }

  /** Whether Ctrl-C has been taken: one ends an answer, else it ends the chat, and a second all. */
  private Object interrupt() {
    if (over || terminal.hasLeft()) {
      return false;
    }
    if (answering) {
      return !desk.interrupt();
    }
    terminal.leave();
    return true;
  }

  private static void requireThere(ModelService service) {
    if (service.hasEnded()) {
      throw new JobFailedException("Generation failed: the ranks have left.", null);
    }
  }

  private void take(String line, ModelService service) throws InterruptedException {
    if (line.isBlank()) {
      return;
    }
    if (!line.startsWith("/") || line.startsWith("//")) {
      turn(line.startsWith("/") ? line.substring(1) : line, service);
      return;
    }
    String[] words = line.strip().split("\\s+", 2);
    switch (words[0]) {
      case "/reset" -> history.clear();
      case "/system" -> system = words.length > 1 ? words[1] : "";
      case "/help" -> terminal.note(HELP);
      default ->
          terminal.note(
              "There is no %s: /help tells what there is, and a text that begins with / is said with //."
                  .formatted(words[0]));
    }
  }

  private void turn(String text, ModelService service) throws InterruptedException {
    List<Message> messages = new ArrayList<>();
    if (!system.isEmpty()) {
      messages.add(new Message("system", system));
    }
    messages.addAll(history);
    Message user = new Message("user", text);
    messages.add(user);
    int[] ids;
    try {
      ids = model.rendered(messages);
    } catch (TemplateRefusalException e) {
      terminal.note(
          "The model's chat template does not take this (%s): say it otherwise, or /reset."
              .formatted(e.getMessage()));
      return;
    }
    if (ids.length >= model.context()) {
      terminal.note(
          String.format(
              Locale.ROOT,
              "The conversation has %,d tokens with this turn, and the model's context has %,d: /reset begins anew.",
              ids.length,
              model.context()));
      return;
    }
    Completion completion = answer(new Prompt(turns++, ids), service);
    history.add(user);
    history.add(new Message("assistant", model.answer(completion).text()));
  }

  /** Says the answer while it comes. */
  private Completion answer(Prompt prompt, ModelService service) throws InterruptedException {
    StreamedText text =
        new StreamedText(
            ids -> model.tokenizer().decode(ids, SpecialTokens.SKIP), model.decoding().stops());
    desk.ask(prompt);
    answering = true;
    try {
      while (true) {
        Optional<ChatDesk.Heard> heard = desk.hear(ROUND_MILLIS);
        if (heard.isEmpty()) {
          requireThere(service);
        } else if (heard.get().completion() == null) {
          terminal.say(text.add(heard.get().token()));
        } else {
          Completion completion = heard.get().completion();
          terminal.say(text.end(model.answer(completion).text()) + "\n");
          explain(completion);
          return completion;
        }
      }
    } finally {
      answering = false;
    }
  }

  /** Why an answer is not whole. */
  private void explain(Completion completion) {
    if (desk.isInterrupted()) {
      terminal.note("(interrupted)");
    } else if (completion.ending() == Completion.Ending.MAX_TOKENS) {
      terminal.note("(--max-tokens %s)".formatted(model.decoding().maxTokens()));
    } else if (completion.ending() == Completion.Ending.CONTEXT) {
      terminal.note("(the model's context is full: /reset begins anew)");
    }
  }
}
