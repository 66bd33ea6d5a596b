'use strict';
// Controls, keyboard, and the order in which things are drawn.
const tabs = [...document.querySelectorAll('[role="tab"]')];
let playing = 0;

function stop() {
  clearInterval(playing);
  playing = 0;
  byId('play').firstElementChild.textContent = '▶';
  byId('play').setAttribute('aria-label', 'Play: let the context grow');
}

function play() {
  if (playing) { stop(); return; }
  const last = shown().contexts.length - 1;
  if (!last) return;
  if (state.context === last) change({context: 0});
  byId('play').firstElementChild.textContent = '❚❚';
  byId('play').setAttribute('aria-label', 'Pause');
  playing = setInterval(() => {
    if (state.context >= shown().contexts.length - 1) { stop(); return; }
    change({context: state.context + 1}, 700);
  }, 850);
}

function drawControls() {
  const graph = shown();
  tabs.forEach((tab, i) => {
    tab.setAttribute('aria-selected', String(i === state.graph));
    tab.tabIndex = i === state.graph ? 0 : -1;
  });
  document.querySelectorAll('section.graph-part').forEach((part, i) => {
    part.hidden = i !== state.graph;
  });
  // One per graph in every section that has any.
  const count = document.querySelectorAll('section.graph-part').length;
  document.querySelectorAll('div.graph-part').forEach((part, i) => {
    part.hidden = i % count !== state.graph;
  });
  const context = byId('context'), layer = byId('layer');
  context.max = graph.contexts.length - 1;
  context.value = state.context;
  context.disabled = graph.contexts.length < 2;
  byId('play').disabled = graph.contexts.length < 2;
  layer.max = graph.layers.length - 1;
  layer.value = state.layer;
  layer.disabled = graph.layers.length < 2;
  const label = graph.layers[state.layer];
  const contextText = !graph.counted ? 'not known' : `${graph.contexts[state.context]} ${graph.unit}`;
  const layerText = (label === 0 ? '0 (embedding)' : String(label))
    + (state.layer === graph.report.layer ? ' (report)' : '');
  byId('context-text').textContent = contextText;
  byId('layer-text').textContent = layerText;
  context.setAttribute('aria-valuetext', contextText);
  layer.setAttribute('aria-valuetext', layerText);
  byId('window-pick').hidden = graph.windows.length < 2;
  options(byId('window'), graph.windows.map((w, i) => [String(i), `${w} ${graph.unit}`]),
    String(state.window));
  const fixed = graph.contexts.length < 2 && graph.layers.length < 2;
  byId('map-card').hidden = fixed;
  document.querySelector('.controls').hidden = fixed
    && graph.windows.length < 2 && !graph.control;
  byId('weights-pick').hidden = !graph.control;
  options(byId('weights'), [['0', 'trained'], ['1', 'random']],
    String(state.weights));
  options(byId('pair'), graph.pictures.map((p, i) => [String(i), `PC ${p.name}`]),
    String(state.pair));
  byId('picture-title').textContent = state.weights
    ? 'The words, inside the untrained model' : 'The words, inside the model';
  const measure = chosen();
  options(byId('measure'), graph.measures.map((m) => [m.name, m.label]),
    measure ? measure.name : '');
  const words = measure
    ? `${measure.label} ${sentence(measure, state.layer, state.context).join('')}`
    : '';
  byId('readout').textContent =
    `${graph.spec}, layer ${label}, ${contextText} of context. ${words}`;
}

let drawnThumb = '';
onChange((ease) => {
  drawControls();
  drawPicture(ease);
  drawMeasure(ease);
  drawAccuracy(ease);
  drawMap();
  drawModes(ease);
  const width = byId('thumb').getBoundingClientRect().width;
  const key = `${state.graph},${width}`;
  if (key !== drawnThumb) { drawThumb(); drawnThumb = key; }
  toAddress();
});

tabs.forEach((tab, i) => {
  tab.addEventListener('click', () => {
    stop();
    change({graph: i, ...data.graphs[i].report});
  });
  tab.addEventListener('keydown', (event) => {
    const turn = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!turn) return;
    event.preventDefault();
    event.stopPropagation();
    const next = tabs[(i + turn + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
});
byId('play').addEventListener('click', play);
for (const name of ['context', 'layer']) {
  byId(name).addEventListener('input', (event) => {
    stop();
    change({[name]: Number(event.target.value)}, 260);
  });
}
for (const name of ['window', 'pair', 'weights']) {
  byId(name).addEventListener('change', (event) =>
    change({[name]: Number(event.target.value)}));
}
byId('measure').addEventListener('change', (event) =>
  change({measure: event.target.value}));

addEventListener('keydown', (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.target.closest('input, select, [role="tab"], summary')) return;
  const {context, layer} = state;
  const within = event.target.closest('.explorer');
  const step = {
    ArrowLeft: {context: context - 1}, ArrowRight: {context: context + 1},
    ...(within ? {ArrowUp: {layer: layer + 1}, ArrowDown: {layer: layer - 1}} : {}),
  }[event.key];
  if (step) {
    event.preventDefault();
    stop();
    change(step, 260);
  } else if (event.key === ' ' && within && event.target.id !== 'play') {
    event.preventDefault();
    play();
  }
});

// Pointing at a curve or the map moves the cursor there.
function drag(id, aim) {
  const svg = byId(id);
  const act = (event) => {
    const box = svg.getBoundingClientRect();
    const update = aim(event.clientX - box.left, event.clientY - box.top, box);
    if (!update) return;
    if (Object.entries(update).every(([name, value]) => state[name] === value)) return;
    stop();
    change(update, 220);
  };
  svg.addEventListener('pointerdown', (event) => {
    svg.setPointerCapture(event.pointerId);
    act(event);
  });
  svg.addEventListener('pointermove', (event) => {
    if (event.buttons & 1) act(event);
  });
}

function aimContext(x, _, box) {
  const [low, high] = timeRange(shown()).map(Math.log);
  const part = (x - EDGE.left) / (box.width - EDGE.left - EDGE.right);
  const wanted = low + part * (high - low);
  let best = 0;
  shown().contexts.forEach((t, i) => {
    const better = Math.abs(Math.log(t) - wanted)
      < Math.abs(Math.log(shown().contexts[best]) - wanted);
    if (better) best = i;
  });
  return {context: best};
}
drag('measure-chart', aimContext);
drag('accuracy-chart', aimContext);
drag('map', (x, y) => {
  if (!mapCells || x < EDGE.left) return null;
  const graph = shown();
  return {
    context: clamp(Math.floor((x - EDGE.left) / mapCells.wide), graph.contexts.length - 1),
    layer: clamp(graph.layers.length - 1 - Math.floor((y - 4) / mapCells.tall),
      graph.layers.length - 1),
  };
});

let resized = 0;
addEventListener('resize', () => {
  cancelAnimationFrame(resized);
  resized = requestAnimationFrame(() => change({}, 0));
});
addEventListener('hashchange', () => {
  if (location.hash !== written) change(fromAddress());
});
change(fromAddress(), 0);
