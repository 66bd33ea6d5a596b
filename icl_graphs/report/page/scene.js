'use strict';
// The words as the model places them, at any context and hidden state.
const SVG = 'http://www.w3.org/2000/svg';
const scenes = JSON.parse(document.getElementById('scenes').textContent);

function put(parent, name, attributes = {}, text = null) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    node.setAttribute(key, value);
  }
  if (text !== null) node.textContent = text;
  parent.append(node);
  return node;
}

// Dark to light from bottom to top of the graph's own drawing: a place in the
// graph is a shade, which also holds in greyscale.
function shades(positions) {
  const y = positions.map((p) => p[1]), x = positions.map((p) => p[0]);
  const within = (v, all) => (v - Math.min(...all))
    / (Math.max(...all) - Math.min(...all) || 1);
  return positions.map((p) => {
    const light = 28 + 52 * within(p[1], y), hue = 255 - 195 * within(p[0], x);
    return `hsl(${hue} 65% ${light}%)`;
  });
}

function show(figure) {
  const all = scenes[figure.dataset.scene];
  const svg = figure.querySelector('svg');
  const pick = (name) => figure.querySelector(name);
  const graph = pick('.scene-graph'), context = pick('.scene-context');
  const layer = pick('.scene-layer'), note = pick('.scene-note');
  all.forEach((one, i) => {
    const option = document.createElement('option');
    option.value = i;
    option.textContent = one.graph;
    graph.append(option);
  });
  if (all.length < 2) graph.parentElement.hidden = true;

  function reset() {
    const one = all[graph.value];
    context.max = one.contexts.length - 1;
    context.value = context.max;
    layer.max = one.layers.length - 1;
    layer.value = one.report_layer === undefined ? layer.max
      : one.layers.indexOf(one.report_layer);
    draw();
  }

  function draw() {
    const one = all[graph.value], c = Number(context.value);
    const k = Number(layer.value), points = one.xy[k][c];
    const box = svg.getBoundingClientRect();
    svg.replaceChildren();
    svg.setAttribute('viewBox', `0 0 ${box.width} ${box.height}`);
    pick('.context-text').textContent = `${one.contexts[c]} ${one.unit || 'words'}`;
    pick('.layer-text').textContent = one.layers[k];
    const said = [];
    const energy = one.energy?.[k]?.[c], chance = one.null_energy?.[k]?.[c];
    if (typeof energy === 'number') {
      said.push(`relative energy ${energy.toFixed(2)}`
        + (typeof chance === 'number'
          ? ` (${one.null_name || 'relabelled words'}: above ${
            chance.toFixed(2)})` : ''));
    }
    const accuracy = one.accuracy?.[c];
    if (typeof accuracy === 'number') {
      said.push(`${one.accuracy_name || 'accuracy'} ${accuracy.toFixed(2)}`);
    }
    note.textContent = said.join(', ');
    if (!points) {
      put(svg, 'text', {class: 'empty', x: box.width / 2, y: box.height / 2},
        'Some words have not been seen yet');
      return;
    }
    const known = points.filter((p) => p && p[0] !== null);
    const reach = Math.max(...known.flat().map(Math.abs)) || 1;
    const side = Math.min(box.width, box.height) / 2 - 34;
    const at = ([x, y]) => [box.width / 2 + x / reach * side,
      box.height / 2 - y / reach * side];
    for (const [i, j] of one.edges) {
      if (!points[i] || !points[j]) continue;
      put(svg, 'path', {class: 'edge', d: `M${at(points[i])}L${at(points[j])}`});
    }
    const colours = shades(one.positions);
    points.forEach((p, i) => {
      if (!p) return;
      const [x, y] = at(p);
      put(svg, 'circle', {class: 'dot', cx: x, cy: y, r: 6, fill: colours[i]});
      put(svg, 'text', {class: 'word', x, y: y - 10, 'text-anchor': 'middle'},
        one.words[i]);
    });
  }

  graph.addEventListener('change', reset);
  context.addEventListener('input', draw);
  layer.addEventListener('input', draw);
  addEventListener('resize', draw);
  reset();
}

document.querySelectorAll('[data-scene]').forEach(show);
