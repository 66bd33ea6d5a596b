'use strict';
// The words in the model's own plane, and the graph as it is.
const DOT = 7;
const pen = document.createElement('canvas').getContext('2d');
const textWidth = (text, size) => {
  pen.font = `${size}px system-ui, sans-serif`;
  return pen.measureText(text).width;
};
const SPOTS = [[1, 0], [-1, 0], [0, -1], [0, 1], [1, -1], [-1, -1], [1, 1], [-1, 1]];

// Greedy placement of labels around their dots: least overlap wins, and a
// position near the top of the list wins a tie.
function labelSpots(points, words, width, height, size) {
  const boxes = [];
  const hit = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]))
    * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const dots = points.filter((p) => p).map(([x, y]) =>
    [x - DOT, y - DOT, x + DOT, y + DOT]);
  return points.map((point, i) => {
    if (!point) return [0, 0];
    const [x, y] = point, wide = textWidth(words[i], size) + 2;
    let best = null;
    SPOTS.forEach(([dx, dy], order) => {
      const gap = DOT + 3;
      const cx = x + dx * (gap * (dy ? .7 : 1) + wide / 2);
      const cy = y + dy * (gap * (dx ? .6 : 1) + size / 2);
      const box = [cx - wide / 2, cy - size / 2, cx + wide / 2, cy + size / 2];
      let cost = order * 2;
      for (const other of boxes) cost += 3 * hit(box, other);
      for (const dot of dots) cost += 2 * hit(box, dot);
      cost += 20 * (Math.max(0, -box[0]) + Math.max(0, box[2] - width)
        + Math.max(0, -box[1]) + Math.max(0, box[3] - height));
      if (!best || cost < best.cost) best = {cost, box, at: [cx - x, cy - y]};
    });
    boxes.push(best.box);
    return best.at;
  });
}

// A network drawing that can be moved; `place` takes x, y, label x, label y
// per node, null where a node is absent.
function network(id, graph, weak) {
  const {svg, width, height} = frame(id);
  const edges = graph.edges.map(() => make(svg, 'path', {class: 'edge'}));
  const tips = graph.directed
    ? graph.edges.map(() => make(svg, 'path', {class: 'tip'})) : [];
  const names = [];
  const dots = graph.words.map((word, i) => {
    const dot = make(svg, 'circle', {class: 'dot', r: DOT, fill: graph.colours[i]});
    names.push(make(dot, 'title', {}, word));
    dot.addEventListener('pointerenter', () => light(i));
    dot.addEventListener('pointerleave', () => light(-1));
    return dot;
  });
  const labels = graph.words.map((word) =>
    make(svg, 'text', {class: 'word', 'text-anchor': 'middle'}, word));
  const size = width < 420 || graph.words.length > 24 ? 11.5 : 13;
  labels.forEach((label) => { label.style.fontSize = size + 'px'; });
  const tag = (flags) => graph.words.forEach((_, i) => {
    dots[i].classList.toggle('weak', flags[i]);
    labels[i].classList.toggle('weak', flags[i]);
  });
  tag(weak);
  function place(now) {
    const at = (i) => now[4 * i] === null ? null : [now[4 * i], now[4 * i + 1]];
    graph.words.forEach((_, i) => {
      const point = at(i);
      dots[i].style.display = labels[i].style.display = point ? '' : 'none';
      if (!point) return;
      dots[i].setAttribute('cx', point[0]);
      dots[i].setAttribute('cy', point[1]);
      labels[i].setAttribute('x', point[0] + now[4 * i + 2]);
      labels[i].setAttribute('y', point[1] + now[4 * i + 3] + size * .35);
    });
    graph.edges.forEach(([i, j], e) => {
      const a = at(i), b = at(j);
      const visible = a && b;
      edges[e].style.display = visible ? '' : 'none';
      if (tips[e]) tips[e].style.display = visible ? '' : 'none';
      if (!visible) return;
      edges[e].setAttribute('d', `M${a}L${b}`);
      if (tips[e]) tips[e].setAttribute('d', arrow(a, b));
    });
  }
  return {svg, width, height, size, edges, dots, names, labels, place, tag};
}

function arrow(a, b) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const far = Math.hypot(dx, dy) || 1, ux = dx / far, uy = dy / far;
  const x = b[0] - ux * (DOT + 1), y = b[1] - uy * (DOT + 1);
  return `M${x} ${y}L${x - 8 * ux - 4 * uy} ${y - 8 * uy + 4 * ux}`
    + `L${x - 8 * ux + 4 * uy} ${y - 8 * uy - 4 * ux}Z`;
}

function spread2(points, net, margin) {
  const {width, height, size} = net;
  const side = Math.min(width - 2 * margin - 30, height - 2 * margin) / 2;
  const pixels = points.map((p) => p === null ? null
    : [width / 2 + p[0] * side, height / 2 - p[1] * side]);
  const spots = labelSpots(pixels, shown().words, width, height, size);
  return pixels.flatMap((p, i) => p ? [...p, ...spots[i]] : [null, null, null, null]);
}

let stage = null, thumb = null, stageKey = '';

function light(node) {
  const {edges} = shown();
  const near = new Set([node]);
  for (const [i, j] of edges) {
    if (i === node) near.add(j);
    if (j === node) near.add(i);
  }
  for (const net of [stage, thumb]) {
    if (!net) continue;
    net.dots.forEach((dot, i) => {
      const dim = node >= 0 && !near.has(i);
      dot.classList.toggle('dim', dim);
      net.labels[i].classList.toggle('dim', dim);
    });
    edges.forEach(([i, j], e) => {
      const lit = i === node || j === node;
      net.edges[e].classList.toggle('lit', lit);
      net.edges[e].classList.toggle('dim', node >= 0 && !lit);
    });
  }
}

function drawThumb() {
  const graph = shown();
  thumb = network('thumb', graph, graph.words.map(() => false));
  thumb.place(spread2(graph.layout, thumb, 22));
}

function drawPicture(ease) {
  const graph = shown();
  const note = byId('picture-note');
  const picture = graph.pictures[state.pair];
  byId('pair-pick').hidden = graph.pictures.length < 2;
  if (!picture) {
    const {svg, width, height} = frame('picture');
    make(svg, 'text', {class: 'empty', x: width / 2, y: height / 2},
      'No picture was recorded');
    note.textContent = '';
    stage = null;
    return;
  }
  const {layer: k, context: c, window: w} = state;
  const flat = picture.points[w][k][c];
  const points = graph.words.map((_, i) => flat[2 * i] === null ? null
    : [flat[2 * i] / 1000, flat[2 * i + 1] / 1000]);
  const enough = graph.enough[w][c];
  const weak = graph.words.map((_, i) => enough[i] === '0');
  const box = byId('picture').getBoundingClientRect();
  const key = [state.graph, box.width, box.height].join();
  if (key !== stageKey || !stage) {
    settle('picture');
    stage = network('picture', graph, weak);
    stage.blank = make(stage.svg, 'text', {class: 'empty', x: box.width / 2,
      y: box.height / 2});
    stageKey = key;
  }
  stage.tag(weak);
  move('picture', spread2(points, stage, 40), ease, stage.place);
  const parts = [];
  const counts = graph.counts?.[w][c];
  const absent = graph.words.filter((_, i) =>
    counts ? counts[i] === 0 : points[i] === null);
  stage.blank.textContent = points.some((p) => p) ? ''
    : absent.length ? 'No picture: some words have not been seen yet'
      : 'No picture at this point';
  if (counts) {
    stage.names.forEach((name, i) => {
      name.textContent = `${graph.words[i]}: ${counts[i]} occurrences`;
    });
  }
  const thin = graph.words.filter((_, i) => points[i] !== null && weak[i]);
  if (absent.length) parts.push(`Not seen: ${brief(absent)}.`);
  if (thin.length) parts.push(`Hollow, seen too rarely: ${brief(thin)}.`);
  note.replaceChildren(compass(picture, k, c, w), parts.join(' '));
}

const brief = (words) => words.length <= 6 ? words.join(', ')
  : `${words.slice(0, 5).join(', ')} and ${words.length - 5} more`;

// Two arrows that show where the components point after turning.
function compass(picture, k, c, w) {
  const turn = picture.turns[w][k][c];
  const share = picture.explained ? picture.explained[w][k][c] : [null, null];
  const node = document.createElement('span');
  const svg = make(node, 'svg', {class: 'compass', viewBox: '-14 -14 28 28',
    'aria-hidden': 'true'});
  [0, 1].forEach((i) => {
    const [x, y] = [11 * turn[2 * i], -11 * turn[2 * i + 1]];
    make(svg, 'path', {d: `M0 0L${x} ${y}`,
      ...(i ? {'stroke-dasharray': '2.5 2'} : {})});
    make(svg, 'circle', {cx: x, cy: y, r: 2});
  });
  const percent = (part) => part === null ? '' : ` ${(100 * part).toFixed(0)}%`;
  const names = [0, 1].map((i) =>
    `${i ? '┄' : '─'} PC${picture.first + i}${percent(share[i])}`);
  node.append(names.join(', ')
    + (share[0] === null ? '' : ' of the variance'));
  return node;
}
