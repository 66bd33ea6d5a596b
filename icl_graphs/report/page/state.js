'use strict';
// What is shown (graph, window, layer, context, ...), as positions in the
// data, and the small tools every drawing uses.
const data = JSON.parse(document.getElementById('data').textContent);
const byId = (id) => document.getElementById(id);
const SVG = byId('picture').namespaceURI;
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const state = {
  graph: 0, window: 0, layer: 0, context: 0, pair: 0,
  weights: 0,
  measure: 'energy_relative',
};
// With random weights chosen, what was measured on the control takes over.
const shown = () => {
  const graph = data.graphs[state.graph];
  return state.weights && graph.control ? {...graph, ...graph.control} : graph;
};
const listeners = [];
const onChange = (listener) => listeners.push(listener);
const clamp = (value, top) => Math.max(0, Math.min(top, value));

function change(update, ease = 420) {
  Object.assign(state, update);
  state.weights = data.graphs[state.graph].control ? clamp(state.weights, 1) : 0;
  const graph = shown();
  state.window = clamp(state.window, graph.windows.length - 1);
  state.layer = clamp(state.layer, graph.layers.length - 1);
  state.context = clamp(state.context, graph.contexts.length - 1);
  state.pair = clamp(state.pair, Math.max(0, graph.pictures.length - 1));
  for (const listener of listeners) listener(ease);
}

// The address holds what is shown, so a view can be linked to.
const LINKED = ['graph', 'context', 'layer', 'window', 'pair', 'weights'];

function fromAddress() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const update = {};
  const graph = parseInt(fields.get('graph'), 10);
  if (graph >= 0 && graph < data.graphs.length) update.graph = graph;
  Object.assign(update, data.graphs[update.graph ?? state.graph].report);
  for (const name of LINKED.slice(1)) {
    const value = parseInt(fields.get(name), 10);
    if (value >= 0) update[name] = value;
  }
  const measure = fields.get('measure');
  if (measure) update.measure = measure;
  return update;
}

let written = '', writing = 0;
function toAddress() {
  const fields = LINKED.map((name) => name + '=' + state[name]);
  fields.push('measure=' + encodeURIComponent(state.measure));
  written = '#' + fields.join('&');
  // Browsers refuse address changes that come too fast.
  clearTimeout(writing);
  writing = setTimeout(() => {
    try {
      history.replaceState(null, '', written);
    } catch (error) { /* some viewers forbid it; the page works without */ }
  }, 200);
}

// Elements. Text is only ever set as text, never parsed as markup.
function make(parent, name, attributes = {}, text = null) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    node.setAttribute(key, value);
  }
  if (text !== null) node.textContent = text;
  parent.append(node);
  return node;
}

function options(select, labels, chosen) {
  select.replaceChildren(...labels.map(([value, label]) => {
    const option = document.createElement('option');
    option.value = value;
    option.textContent = label;
    option.selected = value === chosen;
    return option;
  }));
}

function legend(id, entries) {
  byId(id).replaceChildren(...entries.map(([kind, label]) => {
    const entry = document.createElement('span');
    if (!kind) {
      entry.append(label);
      return entry;
    }
    const swatch = make(entry, 'svg', {'aria-hidden': 'true'});
    if (kind === 'bar') {
      make(swatch, 'rect', {class: 'bar', x: 9, y: 0, width: 7, height: 10});
    } else if (kind === 'ghost') {
      make(swatch, 'path', {class: 'ghost', d: 'M13 1l4 4l-4 4l-4-4z'});
    } else {
      make(swatch, 'path', {class: kind, d: 'M0 5H26'});
    }
    entry.append(label);
    return entry;
  }));
}

// Three significant digits; a number far smaller than the one it stands beside
// is rounded to the other's decimals.
function number(value, beside = null) {
  if (value === null || value === undefined) return 'n/a';
  let size = Math.abs(value);
  if (beside !== null && size < .01 * Math.abs(beside)) size = Math.abs(beside);
  if (size !== 0 && (size < 1e-3 || size >= 1e4)) return value.toExponential(2);
  const digits = size === 0 ? 2 : Math.max(0, 2 - Math.floor(Math.log10(size)));
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace('-', '') : text;
}

// Move a list of numbers to new values; null means absent at that end.
const moving = new Map();
function move(key, target, ease, draw) {
  const before = moving.get(key);
  if (before) cancelAnimationFrame(before.frame);
  const from = before && before.now.length === target.length
    ? before.now : target;
  const entry = {now: from.slice(), frame: 0};
  moving.set(key, entry);
  const start = performance.now();
  const duration = calm.matches || from === target ? 0 : ease;
  function step(time) {
    const part = duration ? Math.min(1, Math.max(0, time - start) / duration) : 1;
    const eased = part < .5 ? 4 * part ** 3 : 1 - (2 - 2 * part) ** 3 / 2;
    for (let i = 0; i < target.length; i++) {
      entry.now[i] = target[i] === null || from[i] === null || part === 1
        ? target[i] : from[i] + eased * (target[i] - from[i]);
    }
    draw(entry.now);
    if (part < 1) entry.frame = requestAnimationFrame(step);
  }
  if (duration) entry.frame = requestAnimationFrame(step);
  else step(start);
}
const settle = (key) => moving.delete(key);
