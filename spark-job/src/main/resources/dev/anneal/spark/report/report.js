'use strict';
// Draws the curves of report.html as SVG and shows the values under the pointer. It puts data into
// the page as numbers and text nodes only. (The build filters this file: no dollar before a brace.)
(function () {
  const data = JSON.parse(document.getElementById('data').textContent);
  const runs = data.runs;
  const many = runs.length > 1;
  const hidden = new Set();
  const charts = [];
  const NS = 'http://www.w3.org/2000/svg';

  function element(parent, name, attributes, text) {
    const node = document.createElementNS(NS, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    parent.appendChild(node);
    return node;
  }

  function html(parent, name, style, text) {
    const node = document.createElement(name);
    if (style) node.className = style;
    if (text !== undefined) node.textContent = text;
    parent.appendChild(node);
    return node;
  }

  const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
  const formats = {
    loss: v => v.toFixed(4),
    plain: v => (v === 0 ? '0' : Math.abs(v) >= 1e5 || Math.abs(v) < 1e-3 ? v.toExponential(2) : String(+v.toPrecision(4))),
    count: v => (Math.abs(v) >= 100 ? grouped.format(v) : String(+v.toPrecision(3))),
    bytes: v => (v === 0 ? '0' : v >= 1 << 30 ? +(v / (1 << 30)).toFixed(2) + ' GiB' : +(v / (1 << 20)).toFixed(1) + ' MiB'),
  };

  // the unit in which the ticks of an axis are round
  function unit(format, top) {
    if (format !== 'bytes') return 1;
    return top >= 1 << 30 ? 1 << 30 : 1 << 20;
  }

  function linearTicks(low, high, count) {
    const raw = (high - low) / count;
    const power = Math.pow(10, Math.floor(Math.log10(raw)));
    const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= raw * 0.999);
    const ticks = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(i * step || 0);
    return ticks;
  }

  function logTicks(low, high) {
    const all = [];
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) {
      for (const m of [1, 2, 5]) all.push(m * Math.pow(10, e));
    }
    const ticks = all.filter(t => t >= low * 0.999 && t <= high * 1.001);
    return ticks.length >= 2 ? ticks : linearTicks(low, high, 4);
  }

  // the index of the step nearest to one
  function nearest(xs, x) {
    let low = 0;
    let high = xs.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] < x) low = middle; else high = middle;
    }
    return Math.abs(xs[low] - x) <= Math.abs(xs[high] - x) ? low : high;
  }

  // a line through all points; where a value is missing it is interrupted, and a lone point is a dot
  function path(curve, sx, sy) {
    let d = '';
    let open = false;
    for (let i = 0; i < curve.x.length; i++) {
      const y = curve.y[i];
      if (y === null) { open = false; continue; }
      const alone = !open && (i + 1 === curve.x.length || curve.y[i + 1] === null);
      d += (open ? 'L' : 'M') + sx(curve.x[i]).toFixed(1) + ' ' + sy(y).toFixed(1) + (alone ? 'h0' : '');
      open = true;
    }
    return d;
  }

  // spec: title, format, curves [{key, name, style}], log, tall
  function chart(host, spec) {
    const figure = html(host, 'figure', spec.tall ? 'chart tall' : 'chart');
    const head = html(figure, 'figcaption');
    html(head, 'b', '', spec.title);
    let log = false;
    if (spec.log) {
      const label = html(head, 'label', 'quiet');
      const choice = html(label, 'input');
      choice.type = 'checkbox';
      choice.addEventListener('change', () => { log = choice.checked; draw(); });
      label.append(' logarithmic');
    }
    const box = html(figure, 'div', 'plot');
    const says = html(figure, 'div', 'says', '');
    if (spec.tall) {
      const legend = html(figure, 'div', 'legend quiet');
      for (const c of spec.curves) {
        if (!runs.some(run => run.curves[c.key].y.some(v => v !== null))) continue;
        html(html(legend, 'span'), 'i', 'swatch ' + c.style + (many ? ' any' : ' r0'));
        legend.lastChild.append(' ' + c.name);
      }
      for (const mark of ['checkpoint', 'restart']) {
        if (many || !runs[0][mark + 's'].length) continue;
        html(html(legend, 'span'), 'i', 'swatch ' + mark);
        legend.lastChild.append(' ' + mark);
      }
    }

    function lines() {
      const found = [];
      runs.forEach((run, r) => {
        if (hidden.has(r)) return;
        for (const c of spec.curves) {
          const curve = run.curves[c.key];
          if (curve.y.some(v => v !== null)) found.push({ run, r, c, curve });
        }
      });
      return found;
    }

    function draw() {
      box.textContent = '';
      says.textContent = '';
      const drawn = lines();
      if (!drawn.length) {
        html(box, 'p', 'quiet none', hidden.size === runs.length ? 'All runs are hidden.' : 'Nothing is measured yet.');
        return;
      }
      let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
      for (const { curve } of drawn) {
        for (let i = 0; i < curve.x.length; i++) {
          const y = curve.y[i];
          if (y === null || (log && y <= 0)) continue;
          x0 = Math.min(x0, curve.x[i]); x1 = Math.max(x1, curve.x[i]);
          y0 = Math.min(y0, y); y1 = Math.max(y1, y);
        }
      }
      if (y0 > y1) { html(box, 'p', 'quiet none', 'Nothing here is above 0.'); return; }
      if (x0 === x1) { x0 -= 1; x1 += 1; }
      if (!log && y0 > 0 && (y0 < 0.5 * y1 || spec.format === 'bytes')) y0 = 0;
      if (!log) y1 += 0.04 * (y1 - y0);
      if (y0 === y1) { const d = Math.abs(y0) * 0.1 || 1; y0 -= y0 === 0 ? 0 : d; y1 += d; }
      const one = unit(spec.format, y1);
      const format = formats[spec.format];
      const ticks = log ? logTicks(y0, y1) : linearTicks(y0 / one, y1 / one, 5).map(t => t * one);
      const tickText = spec.format === 'loss' ? formats.plain : format;
      const width = Math.max(240, box.clientWidth);
      const height = spec.tall ? 320 : 200;
      const left = 12 + 7.2 * Math.max(...ticks.map(t => tickText(t).length));
      const right = width - 20, top = 8, bottom = height - 26;
      const map = v => (log ? Math.log(v) : v);
      const sx = x => left + (x - x0) / (x1 - x0) * (right - left);
      const sy = y => bottom - (map(y) - map(y0)) / (map(y1) - map(y0)) * (bottom - top);

      const svg = element(box, 'svg', { width, height, viewBox: '0 0 ' + width + ' ' + height, role: 'img' });
      element(svg, 'title', {}, spec.title + ' over steps ' + x0 + ' to ' + x1);
      for (const t of ticks) {
        element(svg, 'line', { x1: left, x2: right, y1: sy(t), y2: sy(t), class: 'grid' });
        element(svg, 'text', { x: left - 6, y: sy(t) + 4, class: 'y' }, tickText(t));
      }
      for (const t of linearTicks(x0, x1, Math.max(2, Math.floor((right - left) / 90)))) {
        if (t !== Math.round(t)) continue;
        element(svg, 'text', { x: sx(t), y: height - 8, class: 'x' }, grouped.format(t));
      }
      if (!many) {
        for (const s of runs[0].restarts) {
          if (s >= x0 && s <= x1) element(svg, 'line', { x1: sx(s), x2: sx(s), y1: top, y2: bottom, class: 'restart' });
        }
        for (const s of spec.tall ? runs[0].checkpoints : []) {
          if (s >= x0 && s <= x1) element(svg, 'path', { d: 'M' + sx(s) + ' ' + bottom + 'l-4 7h8z', class: 'checkpoint' });
        }
      }
      for (const { r, c, curve } of drawn) {
        const shown = log ? { x: curve.x, y: curve.y.map(v => (v !== null && v > 0 ? v : null)) } : curve;
        element(svg, 'path', { d: path(shown, sx, sy), class: 'curve ' + c.style + ' r' + r % 8 });
        if (c.style === 'eval') {
          shown.y.forEach((y, i) => {
            if (y !== null) element(svg, 'circle', { cx: sx(shown.x[i]), cy: sy(y), r: 3.5, class: 'dot r' + r % 8 });
          });
        }
      }
      const cursor = element(svg, 'line', { y1: top, y2: bottom, x1: 0, x2: 0, class: 'cursor', visibility: 'hidden' });

      function hover(event) {
        const x = x0 + (event.clientX - svg.getBoundingClientRect().left - left) / (right - left) * (x1 - x0);
        const base = drawn.reduce((best, l) => {
          const at = l.curve.x[nearest(l.curve.x, x)];
          return best === null || Math.abs(at - x) < Math.abs(best - x) ? at : best;
        }, null);
        cursor.setAttribute('x1', sx(base));
        cursor.setAttribute('x2', sx(base));
        cursor.setAttribute('visibility', 'visible');
        says.textContent = '';
        html(says, 'span', '', 'step ' + grouped.format(base));
        for (const { run, r, c, curve } of drawn) {
          if (many && c.style === 'raw') continue;
          const i = nearest(curve.x, base);
          if (curve.y[i] === null || (c.style === 'eval' && curve.x[i] !== base)) continue;
          if (Math.abs(curve.x[i] - base) > (x1 - x0) / 50) continue;
          const value = html(says, 'span', 'value');
          html(value, 'i', 'swatch ' + c.style + ' r' + r % 8);
          const name = many ? run.name + (c.style === 'eval' ? ' held-out' : '') : spec.curves.length > 1 ? c.name : '';
          value.append(' ' + (name ? name + ' ' : '') + format(curve.y[i]));
        }
      }
      svg.addEventListener('pointermove', hover);
      svg.addEventListener('pointerdown', hover);
      svg.addEventListener('pointerleave', () => {
        cursor.setAttribute('visibility', 'hidden');
        says.textContent = '';
      });
    }
    charts.push(draw);
  }

  const place = document.getElementById('charts');
  if (many) {
    const legend = html(place, 'div', 'runs');
    runs.forEach((run, r) => {
      const button = html(legend, 'button');
      html(button, 'i', 'swatch smooth r' + r % 8);
      button.append(' ' + run.name);
      button.setAttribute('aria-pressed', 'true');
      button.addEventListener('click', () => {
        if (!hidden.delete(r)) hidden.add(r);
        button.setAttribute('aria-pressed', String(!hidden.has(r)));
        charts.forEach(draw => draw());
      });
    });
  }
  chart(place, {
    title: 'Loss', format: 'loss', log: true, tall: true,
    curves: [
      { key: 'loss', name: 'each step', style: 'raw' },
      { key: 'smooth', name: 'smoothed', style: 'smooth' },
      { key: 'eval', name: 'held-out', style: 'eval' },
    ],
  });
  const rest = html(place, 'div', 'rest');
  const raw = key => ({ key, name: 'this step', style: 'raw' });
  const smooth = (key, name) => ({ key, name, style: 'smooth' });
  chart(rest, { title: 'Learning rate', format: 'plain', curves: [smooth('learning_rate', '')] });
  chart(rest, {
    title: 'Gradient norm, before clipping', format: 'plain', log: true,
    curves: [raw('grad_norm'), smooth('grad_norm_smooth', 'smoothed')],
  });
  chart(rest, {
    title: 'Tokens per second, all ranks', format: 'count',
    curves: [raw('tokens_per_second'), smooth('tokens_per_second_smooth', 'smoothed')],
  });
  chart(rest, { title: 'Peak memory of the rank that has most', format: 'bytes', curves: [smooth('peak_memory_bytes', '')] });
  // how wide one is depends on those beside it
  charts.forEach(draw => draw());

  let width = place.clientWidth;
  new ResizeObserver(() => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    charts.forEach(draw => draw());
  }).observe(place);

  // a page of a run that goes on is written anew every now and then
  if (data.running) {
    setInterval(() => {
      const read = String(getSelection()) !== '' || document.querySelector('details[open], .cursor[visibility=visible]');
      if (!document.hidden && !read) location.reload();
    }, 30000);
  }
  document.documentElement.dataset.drawn = String(document.querySelectorAll('svg').length);
})();
