'use strict';
// Curves against context, the layer-by-context map and the mode spectrum.
const EDGE = {left: 46, right: 12, top: 10, bottom: 26};

function frame(id) {
  const svg = byId(id);
  svg.replaceChildren();
  const {width, height} = svg.getBoundingClientRect();
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  return {svg, width, height};
}

function niceTicks(low, high, most) {
  const raw = (high - low) / most || 1;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].find((m) => m * unit >= raw * .999);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
    ticks.push(k * step);
  }
  return ticks;
}

function tickText(value, ticks) {
  const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : Math.abs(value);
  if (value !== 0 && (step < 1e-3 || Math.abs(value) >= 1e5)) {
    return value.toExponential(1);
  }
  return value.toFixed(Math.max(0, Math.min(4, -Math.floor(Math.log10(step || 1) + 1e-9))));
}

const timeRange = (graph) => {
  const times = graph.accuracy ? graph.accuracy.range : [];
  const all = graph.contexts.concat(times);
  const low = Math.min(...all), high = Math.max(...all);
  return low === high ? [low / 2, high * 2] : [low, high];
};

function chart(id, xRange, yRange) {
  const {svg, width, height} = frame(id);
  const [x0, x1] = xRange.map(Math.log);
  const inner = width - EDGE.left - EDGE.right;
  const tall = height - EDGE.top - EDGE.bottom;
  const x = (t) => EDGE.left + inner * (Math.log(t) - x0) / (x1 - x0);
  const y = (v) => EDGE.top + tall * (1 - (v - yRange[0]) / (yRange[1] - yRange[0]));
  const ticks = niceTicks(yRange[0], yRange[1], Math.max(2, tall / 38));
  for (const tick of ticks) {
    make(svg, 'line', {class: 'axis', x1: EDGE.left, x2: width - EDGE.right,
      y1: y(tick), y2: y(tick)});
    make(svg, 'text', {x: EDGE.left - 8, y: y(tick) + 4, 'text-anchor': 'end'},
      tickText(tick, ticks));
  }
  // Round marks, and the last time itself where there is room for both.
  const {contexts} = shown();
  const alone = xRange[1] > Math.max(...contexts) && xRange[0] < contexts[0];
  const last = alone ? contexts[0] : xRange[1];
  const ends = alone && !shown().counted ? [] : [last];
  const marks = alone ? [] : [1, 3, 10, 30, 100, 300, 1000, 3000, 10000]
    .filter((t) => t >= xRange[0] && x(t) < x(last) - 36);
  for (const t of marks.concat(ends)) {
    make(svg, 'text', {x: Math.min(x(t), width - 12), y: height - 8,
      'text-anchor': 'middle'}, t);
  }
  return {svg, x, y, width, height};
}

// A curve of one point becomes a short level stroke.
const widened = (at, ...rows) => at.length > 1 ? [at, ...rows]
  : [[at[0] / 1.06, at[0] * 1.06], ...rows.map(([v]) => [v, v])];

// Pieces of a curve between gaps, as one path.
function line(at, values, plot) {
  [at, values] = widened(at, values);
  let path = '', pen = 'M', alone = 0;
  at.forEach((t, i) => {
    if (values[i] === null || values[i] === undefined) { pen = 'M'; return; }
    path += `${pen}${plot.x(t).toFixed(1)} ${plot.y(values[i]).toFixed(1)}`;
    pen = 'L';
    alone += 1;
  });
  // A single value would leave no mark as a line.
  return alone === 1 ? path + 'h.01' : path;
}

function band(at, low, high, plot) {
  [at, low, high] = widened(at, low, high);
  const upper = [], lower = [];
  at.forEach((t, i) => {
    if (low[i] === null || high[i] === null) return;
    upper.push(`${plot.x(t).toFixed(1)} ${plot.y(high[i]).toFixed(1)}`);
    lower.unshift(`${plot.x(t).toFixed(1)} ${plot.y(low[i]).toFixed(1)}`);
  });
  return upper.length > 1 ? `M${upper.concat(lower).join('L')}Z` : '';
}

const cell = (measure, stat, k, c) =>
  measure && measure[stat] ? measure[stat][state.window][k][c] : null;
const chosen = () => {
  const {measures} = shown();
  return measures.find((m) => m.name === state.measure) || measures[0] || null;
};

// The control's counterpart of a measure, to compare a trained model with.
const untrained = (measure) => state.weights ? null
  : shown().control?.measures.find((m) => m.name === measure.name) || null;

function beads(plot, at, rows, ease, key) {
  const {svg} = plot;
  const cursor = make(svg, 'line',
    {class: 'cursor', y1: EDGE.top, y2: plot.height - EDGE.bottom});
  const dots = rows.map((_, i) =>
    make(svg, 'circle', {class: i ? 'bead two' : 'bead', r: 5.5}));
  const target = [plot.x(at), ...rows.map((v) => v === null ? null : plot.y(v))];
  move(key, target, ease, (now) => {
    cursor.setAttribute('x1', now[0]);
    cursor.setAttribute('x2', now[0]);
    dots.forEach((dot, i) => {
      dot.style.display = now[i + 1] === null ? 'none' : '';
      dot.setAttribute('cx', now[0]);
      dot.setAttribute('cy', now[i + 1] ?? 0);
    });
  });
}

function spread(values) {
  const known = values.filter((v) => v !== null && v !== undefined);
  let low = Math.min(...known), high = Math.max(...known);
  if (!known.length) [low, high] = [0, 1];
  const room = (high - low || Math.abs(high) || 1) * .06;
  return [low - room, high + room];
}

function drawMeasure(ease) {
  const graph = shown(), measure = chosen(), {contexts} = graph;
  const value = byId('measure-value');
  if (!measure) {
    const {svg, width, height} = frame('measure-chart');
    make(svg, 'text', {class: 'empty', x: width / 2, y: height / 2},
      'No geometry was measured');
    value.textContent = '';
    byId('measure-legend').replaceChildren();
    return;
  }
  const k = state.layer, w = state.window;
  const row = (stat) => measure[stat] ? measure[stat][w][k] : null;
  const low = row('low'), high = row('high'), chance = row('null');
  const under = row('null_low'), over = row('null_high');
  // Own-unit energies grow with depth: scale those to the layer shown.
  const wide = !['energy_sum', 'energy_edge', 'energy_frobenius'].includes(measure.name);
  const all = (wide ? measure.value.flat(2) : row('value'))
    .concat(untrained(measure)?.value[w][k] || [], chance || [], low || [], high || [], under || [], over || []);
  const plot = chart('measure-chart', timeRange(graph), spread(all));
  if (under && over) {
    make(plot.svg, 'path', {class: 'null-band', d: band(contexts, under, over, plot)});
  }
  if (wide) {
    measure.value[w].forEach((values, other) => {
      if (other === k) return;
      make(plot.svg, 'path', {class: 'other', d: line(contexts, values, plot)});
    });
  }
  if (low && high) {
    make(plot.svg, 'path', {class: 'band', d: band(contexts, low, high, plot)});
  }
  if (chance) {
    make(plot.svg, 'path', {class: 'null', d: line(contexts, chance, plot)});
  }
  const control = untrained(measure);
  if (control) {
    make(plot.svg, 'path', {class: 'untrained',
      d: line(contexts, control.value[w][k], plot)});
  }
  make(plot.svg, 'path', {class: 'main', 'stroke-linecap': 'round',
    d: line(contexts, row('value'), plot)});
  const at = state.context;
  beads(plot, contexts[at], [row('value')[at]], ease, 'measure-bead');
  readValue(value, measure, k, at);
  legend('measure-legend', [
    ['main', 'this layer' + (low && high ? ', with interval' : '')],
    ...(wide && graph.layers.length > 1 ? [['other', 'other layers']] : []),
    ...(chance ? [['null', 'null']] : []),
    ...(control ? [['untrained', 'random weights']] : []),
    ...(measure.direction
      ? [['', `${measure.direction < 0 ? 'lower' : 'higher'}: more like the graph`]]
      : []),
  ]);
}

function sentence(measure, k, c) {
  const value = cell(measure, 'value', k, c);
  const low = cell(measure, 'low', k, c), high = cell(measure, 'high', k, c);
  const chance = cell(measure, 'null', k, c);
  return [number(value),
    low !== null && high !== null ? ` [${number(low)}, ${number(high)}]` : '',
    chance !== null ? `, null ${number(chance, value)}` : ''];
}

function readValue(node, measure, k, c) {
  const [value, span, chance] = sentence(measure, k, c);
  const strong = document.createElement('b');
  strong.textContent = value;
  node.replaceChildren(strong, span + chance);
}

const ACCURACIES = [
  ['memorisation_2shot', 'twice', ''],
  ['seen_once', 'once', 'seen once'],
  ['seen_twice', 'twice', 'seen twice'],
  ['bayes', 'bayes', 'Bayes bigram'],
  ['accuracy_restricted', 'second', 'node words only'],
  ['accuracy_full', 'main', 'whole vocabulary'],
];

function drawAccuracy(ease) {
  const graph = shown(), {accuracy} = graph;
  byId('accuracy-card').hidden = !accuracy;
  if (!accuracy) return;
  const plot = chart('accuracy-chart', timeRange(graph), [0, 1.02]);
  const {t, curves} = accuracy;
  const entries = [];
  for (const [name, kind, label] of ACCURACIES) {
    if (!curves[name] || !curves[name].value || !label) continue;
    const {value, low, high} = curves[name];
    if (low && high) {
      make(plot.svg, 'path', {class: 'band', d: band(t, low, high, plot)});
    }
    make(plot.svg, 'path', {class: kind, d: line(t, value, plot)});
    entries.unshift([kind, label]);
  }
  if (curves.accuracy_full.null) {
    make(plot.svg, 'path', {class: 'null', d: line(t, curves.accuracy_full.null, plot)});
    entries.splice(2, 0, ['null', 'null']);
  }
  const control = state.weights ? null
    : graph.control?.accuracy?.curves.accuracy_full?.value;
  if (control) {
    make(plot.svg, 'path', {class: 'untrained',
      d: line(graph.control.accuracy.t, control, plot)});
    entries.splice(2, 0, ['untrained', 'random weights']);
  }
  legend('accuracy-legend', entries);
  const context = graph.contexts[state.context];
  const near = (values) => {
    let best = null;
    t.forEach((time, i) => {
      if (!values || values[i] === null) return;
      if (best === null || Math.abs(Math.log(time / context))
          < Math.abs(Math.log(t[best] / context))) best = i;
    });
    return best === null ? null : values[best];
  };
  const full = near(curves.accuracy_full.value);
  const restricted = near(curves.accuracy_restricted?.value);
  beads(plot, context, [full, restricted], ease, 'accuracy-bead');
  const strong = document.createElement('b');
  strong.textContent = number(full);
  const chance = near(curves.accuracy_full.null);
  byId('accuracy-value').replaceChildren(strong,
    chance === null ? '' : `, null ${number(chance)}`);
}

// Cividis at nine points: even steps in lightness, safe for colour blindness.
const CIVIDIS = ['#00224e', '#123570', '#3b496c', '#575d6d', '#707173',
  '#8a8678', '#a59c74', '#c3b369', '#e1cc55', '#fee838'];
function shade(part) {
  const at = clamp(part, 1) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(at), CIVIDIS.length - 2);
  const channel = (colour, i) => parseInt(colour.slice(1 + 2 * i, 3 + 2 * i), 16);
  return 'rgb(' + [0, 1, 2].map((i) => Math.round(
    channel(CIVIDIS[low], i) * (low + 1 - at)
    + channel(CIVIDIS[low + 1], i) * (at - low))).join(',') + ')';
}

let mapCells = null;
function drawMap() {
  const graph = shown(), measure = chosen();
  if (byId('map-card').hidden) return;
  const {svg, width, height} = frame('map');
  mapCells = null;
  byId('map-note').textContent = '';
  if (!measure) return;
  const rows = measure.value[state.window];
  const wide = (width - EDGE.left - 4) / graph.contexts.length;
  const tall = (height - 34) / graph.layers.length;
  const known = rows.flat().filter((v) => v !== null);
  const low = Math.min(...known), high = Math.max(...known);
  const top = (k) => 4 + (graph.layers.length - 1 - k) * tall;
  rows.forEach((values, k) => values.forEach((value, c) => {
    const part = high > low ? (value - low) / (high - low) : .5;
    make(svg, 'rect', {x: EDGE.left + c * wide, y: top(k),
      width: wide + .5, height: tall + .5,
      fill: value === null ? 'none'
        : shade(measure.direction < 0 ? 1 - part : part)});
    if (value === null) {
      make(svg, 'text', {x: EDGE.left + (c + .5) * wide, y: top(k) + tall / 2 + 4,
        'text-anchor': 'middle'}, '·');
    }
  }));
  const skip = Math.ceil(graph.layers.length / Math.max(1, (height - 34) / 16));
  graph.layers.forEach((label, k) => {
    if (k % skip) return;
    make(svg, 'text', {x: EDGE.left - 7, y: top(k) + tall / 2 + 4,
      'text-anchor': 'end'}, label);
  });
  const every = Math.ceil(graph.contexts.length / Math.max(1, (width - 50) / 34));
  graph.contexts.forEach((label, c) => {
    if (c % every) return;
    make(svg, 'text', {x: EDGE.left + (c + .5) * wide, y: height - 14,
      'text-anchor': 'middle'}, label);
  });
  make(svg, 'text', {x: 12, y: 4 + (height - 34) / 2, 'text-anchor': 'middle',
    transform: `rotate(-90 12 ${4 + (height - 34) / 2})`}, 'layer');
  for (const kind of ['here-halo', 'here']) {
    make(svg, 'rect', {class: kind, x: EDGE.left + state.context * wide,
      y: top(state.layer), width: wide, height: tall, rx: 2});
  }
  mapCells = {wide, tall};
  const ends = measure.direction < 0 ? [high, low] : [low, high];
  byId('map-note').textContent = `${measure.label}: dark ${number(ends[0])}, `
    + `bright ${number(ends[1])}. Click to go there.`;
}

function drawModes(ease) {
  const {modes, contexts} = shown();
  byId('modes-card').hidden = !modes;
  if (!modes) return;
  const {svg, width, height} = frame('modes');
  const cells = modes.power[state.window];
  const now = cells[state.layer][state.context];
  const early = cells[state.layer].findIndex((row) => row.every((p) => p !== null));
  const ghost = early >= 0 && early !== state.context
    ? cells[state.layer][early] : null;
  const high = Math.max(modes.flat * 1.5,
    ...cells.flat(2).filter((p) => p !== null)) * 1.08;
  const last = Math.max(...modes.eigenvalues);
  const x = (v) => EDGE.left + 8 + (width - EDGE.left - 24) * v / last;
  const floor = height - 38;
  const y = (p) => 8 + (floor - 8) * (1 - p / high);
  const ticks = niceTicks(0, high, 4);
  for (const tick of ticks) {
    make(svg, 'line', {class: 'axis', x1: EDGE.left, x2: width - 4,
      y1: y(tick), y2: y(tick)});
    make(svg, 'text', {x: EDGE.left - 8, y: y(tick) + 4, 'text-anchor': 'end'},
      tickText(tick, ticks));
  }
  const bars = modes.eigenvalues.map((value) => make(svg, 'rect',
    {class: 'bar', x: x(value) - 4, width: 8, rx: 1.5}));
  make(svg, 'line', {class: 'null', x1: EDGE.left, x2: width - 4,
    y1: y(modes.flat), y2: y(modes.flat)});
  if (ghost) {
    modes.eigenvalues.forEach((value, i) => make(svg, 'path', {class: 'ghost',
      d: `M${x(value)} ${y(ghost[i]) - 4.5}l4.5 4.5l-4.5 4.5l-4.5-4.5z`}));
  }
  let free = -99;
  modes.multiplicity.forEach((count, i) => {
    if (count < 2 || x(modes.eigenvalues[i]) - free < 18) return;
    free = x(modes.eigenvalues[i]);
    make(svg, 'text', {x: free, y: floor + 14, 'text-anchor': 'middle'},
      '×' + count);
  });
  make(svg, 'text', {x: EDGE.left, y: height - 6}, 'smooth');
  make(svg, 'text', {x: width - 4, y: height - 6, 'text-anchor': 'end'}, 'rough');
  make(svg, 'text', {x: (EDGE.left + width) / 2, y: height - 6,
    'text-anchor': 'middle'}, 'Laplacian eigenvalue');
  move('modes', now.map((p) => p === null ? null : y(p)), ease, (tops) => {
    bars.forEach((bar, i) => {
      bar.setAttribute('y', tops[i] ?? floor);
      bar.setAttribute('height', Math.max(0, floor - (tops[i] ?? floor)));
    });
  });
  legend('modes-legend', [
    ['bar', 'share of variance per mode'],
    ...(ghost ? [['ghost', `at ${contexts[early]} ${shown().unit}`]] : []),
    ['null', 'flat'],
  ]);
}
