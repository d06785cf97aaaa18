package dev.anneal.jinja.run;

import java.util.List;

/** A statement, ready to be run. */
interface Action {
  Action NOTHING = (frame, out) -> Flow.NEXT;

  Flow run(Frame frame, Sink out);

  /** One after the other. */
  static Action all(List<Action> actions) {
    Action[] all = actions.stream().filter(a -> a != NOTHING).toArray(Action[]::new);
    if (all.length < 2) {
      return all.length == 0 ? NOTHING : all[0];
    }
    return (frame, out) -> {
      for (Action action : all) {
        Flow flow = action.run(frame, out);
        if (flow != Flow.NEXT) {
          return flow;
        }
      }
      return Flow.NEXT;
    };
  }
}
