package dev.anneal.spark.report;

/** How the page of a run looks, beside what all pages have. */
final class PageStyle {
  static final String CSS =
      """
      :root { --r0: #2563eb; --r1: #d9480f; --r2: #15803d; --r3: #9333ea; --r4: #0e7490;
        --r5: #be185d; --r6: #854d0e; --r7: #475569; --bad: #b91c1c; --good: #15803d; }
      @media (prefers-color-scheme: dark) {
        :root { --r0: #6ea8fe; --r1: #ff9d5c; --r2: #5dd58b; --r3: #c9a0ff; --r4: #5fd3e6;
          --r5: #ff8fc0; --r6: #e0b85a; --r7: #a9b4c4; --bad: #ff8a80; --good: #5dd58b; } }
      .r0 { --c: var(--r0); } .r1 { --c: var(--r1); } .r2 { --c: var(--r2); }
      .r3 { --c: var(--r3); } .r4 { --c: var(--r4); } .r5 { --c: var(--r5); }
      .r6 { --c: var(--r6); } .r7 { --c: var(--r7); }
      h1 { overflow-wrap: anywhere; }
      h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
      h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
      p { margin: 0 0 .75rem; overflow-wrap: anywhere; }
      .state { border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem;
        font-size: .85rem; margin-right: .5rem; }
      .succeeded { color: var(--good); } .failed { color: var(--bad); }
      .error { border-left: .25rem solid var(--bad); padding: .4rem .8rem; background: var(--tint);
        overflow-wrap: anywhere; }
      .tiles { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fill, minmax(10.75rem, 1fr));
        margin: 1rem 0; }
      .tile { background: var(--tint); border-radius: .3rem; padding: .5rem .8rem; }
      .tile b { display: block; font-size: 1.05rem; font-weight: 600;
        font-variant-numeric: tabular-nums; }
      .tile .quiet { font-size: .85rem; }
      .rest { display: grid; gap: 0 1.5rem;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }
      figure { margin: 0 0 1.25rem; min-width: 0; }
      figcaption { display: flex; flex-wrap: wrap; gap: 0 1rem; align-items: baseline;
        min-height: 1.6rem; }
      figcaption label { margin-left: auto; font-size: .85rem; }
      .says { font-size: .85rem; min-height: 1.4rem; font-variant-numeric: tabular-nums; display: flex;
        flex-wrap: wrap; gap: 0 .8rem; }
      .plot { min-height: 200px; } .tall .plot { min-height: 320px; }
      .none { padding-top: 4rem; text-align: center; }
      svg { display: block; max-width: 100%; touch-action: pan-y; }
      svg text { font-size: 12px; fill: var(--quiet); font-variant-numeric: tabular-nums; }
      svg .y { text-anchor: end; } svg .x { text-anchor: middle; }
      .grid { stroke: var(--line); } .cursor { stroke: var(--quiet); stroke-dasharray: 2 2; }
      .curve { fill: none; stroke: var(--c); stroke-linejoin: round; stroke-linecap: round;
        stroke-width: 1.75; }
      .curve.raw { stroke-width: 1; opacity: .35; }
      .curve.eval { stroke-dasharray: 5 4; } .dot { fill: var(--c); }
      svg .restart { stroke: var(--bad); stroke-dasharray: 3 3; }
      svg .checkpoint { fill: var(--quiet); }
      .swatch { display: inline-block; width: 1rem; height: 0; border-top: 3px solid var(--c);
        vertical-align: middle; }
      .any { --c: var(--quiet); }
      .swatch.raw { opacity: .4; } .swatch.eval { border-top-style: dotted; }
      .swatch.restart { border-top: 3px dotted var(--bad); }
      .swatch.checkpoint { width: 0; border: 5px solid transparent; border-top: 0;
        border-bottom: 8px solid var(--quiet); }
      .legend { display: flex; flex-wrap: wrap; gap: 0 1.2rem; font-size: .85rem; }
      .runs { display: flex; flex-wrap: wrap; gap: .5rem; margin: 0 0 1rem; }
      button { font: inherit; font-size: .9rem; color: inherit; background: var(--tint);
        border: 1px solid var(--line); border-radius: .3rem; padding: .2rem .7rem; cursor: pointer;
        overflow-wrap: anywhere; }
      button[aria-pressed=false] { opacity: .5; text-decoration: line-through; }
      .bars { display: grid; grid-template-columns: max-content max-content 1fr; gap: .1rem .9rem;
        align-items: center; margin-bottom: 1rem; font-variant-numeric: tabular-nums; }
      .bars > :nth-child(3n+2) { text-align: right; }
      .bar { display: block; height: .75rem; min-width: 1px; background: var(--r0); opacity: .7;
        border-radius: .15rem; }
      table.words td { white-space: normal; text-align: left; vertical-align: top;
        overflow-wrap: anywhere; min-width: 6rem; }
      table.words th { text-align: left; }
      .attempt { border-top: 1px solid var(--line); padding: .4rem 0; }
      details { border-top: 1px solid var(--line); padding: .5rem 0; }
      summary { cursor: pointer; overflow-wrap: anywhere; }
      pre { background: var(--tint); border-radius: .3rem; padding: .6rem .8rem; margin: 0 0 .75rem;
        white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; }
      @media (max-width: 40rem) { body { padding: 1rem; } }
      @media print { .runs, figcaption label { display: none; } }
      """;

  private PageStyle() {}
}
