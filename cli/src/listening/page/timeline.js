// Where the music is: the envelope of all mixes together (so that it tells none from another), playhead and loop region.
//
// A click or tap jumps, a drag marks the part that is repeated; the two edges are sliders for the keyboard.

const ENVELOPE_POINTS = 600;
const DRAG_PIXELS = 6;

function envelopeOf(mixes) {
  const frames = mixes[0][0].length;
  const step = Math.max(1, Math.floor(frames / ENVELOPE_POINTS));
  const points = Array.from({ length: Math.floor(frames / step) }, (_, point) => {
    let sum = 0;
    for (const [left, right] of mixes) {
      for (let frame = point * step; frame < (point + 1) * step; frame += 8) sum += left[frame] ** 2 + right[frame] ** 2;
    }
    return Math.sqrt(sum);
  });
  const largest = Math.max(...points, 1e-9);
  return points.map((value) => value / largest);
}

function createTimeline(player, mixes) {
  const envelope = envelopeOf(mixes);
  const { duration } = player;
  const canvas = element("canvas", { "aria-hidden": "true" });
  const region = element("div", { class: "region" });
  const playhead = element("div", { class: "playhead" });
  const edges = ["start", "end"].map((edge) => element("div", {
    class: `edge ${edge}`, role: "slider", tabIndex: 0, "aria-label": `Loop ${edge}`, "aria-valuemin": 0,
    "aria-valuemax": duration.toFixed(1), onkeydown: (event) => moveEdge(edge, event),
  }));
  const track = element("div", { class: "track" }, canvas, region, playhead, edges);
  const time = element("span", { class: "time" });

  const atPointer = (event) => {
    const box = track.getBoundingClientRect();
    return clamp((event.clientX - box.left) / box.width, 0, 1) * duration;
  };

  function setEdge(edge, seconds) {
    const { start, end } = player.loop;
    if (edge === "start") player.setLoop(Math.min(seconds, end - SHORTEST_LOOP_S), end);
    else player.setLoop(start, Math.max(seconds, start + SHORTEST_LOOP_S));
    update();
  }

  function moveEdge(edge, event) {
    const step = { ArrowLeft: -0.5, ArrowDown: -0.5, ArrowRight: 0.5, ArrowUp: 0.5, PageDown: -5, PageUp: 5 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    setEdge(edge, player.loop[edge] + step);
  }

  let press = null;
  trackPointer(track, {
    down(event) {
      event.preventDefault();
      const edge = edges.indexOf(event.target);
      press = { x: event.clientX, at: atPointer(event), edge: edge < 0 ? null : ["start", "end"][edge], span: null };
    },
    move(event) {
      if (press.edge) press.span = atPointer(event);
      else if (press.span !== null || Math.abs(event.clientX - press.x) > DRAG_PIXELS) press.span = atPointer(event);
      if (press.span !== null) preview();
    },
    up() {
      // The audio moves once, when the pointer is let go: every change of the loop is a short gap in the sound.
      if (press.edge && press.span !== null) setEdge(press.edge, press.span);
      else if (press.span !== null) player.setLoop(Math.min(press.at, press.span), Math.max(press.at, press.span));
      else if (!press.edge) player.seek(press.at);
      press = null;
      update();
    },
  });

  function showRegion(start, end) {
    region.style.left = `${(100 * start) / duration}%`;
    region.style.width = `${(100 * (end - start)) / duration}%`;
    [start, end].forEach((at, index) => {
      edges[index].style.left = `${(100 * at) / duration}%`;
      edges[index].setAttribute("aria-valuenow", at.toFixed(1));
      edges[index].setAttribute("aria-valuetext", `${at.toFixed(1)} seconds`);
    });
  }

  function preview() {
    const { start, end } = player.loop;
    if (press.edge === "start") showRegion(Math.min(press.span, end), end);
    else if (press.edge === "end") showRegion(start, Math.max(press.span, start));
    else showRegion(Math.min(press.at, press.span), Math.max(press.at, press.span));
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = track.getBoundingClientRect();
    if (!width) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const paint = canvas.getContext("2d");
    paint.fillStyle = getComputedStyle(track).color;
    const columns = Math.floor(width / 3);
    for (let column = 0; column < columns; column += 1) {
      const value = envelope[Math.floor((column / columns) * envelope.length)] ?? 0;
      const tall = Math.max(2, value * (height - 12));
      paint.fillRect(column * 3 * ratio, ((height - tall) / 2) * ratio, 2 * ratio, tall * ratio);
    }
  }

  function update() {
    if (!press) showRegion(player.loop.start, player.loop.end);
    playhead.style.left = `${(100 * player.position) / duration}%`;
    time.textContent = `${clock(player.position)} / ${clock(duration)}`;
  }

  const whole = element("button", {
    type: "button", class: "quiet", onclick: () => { player.setLoop(0, duration); update(); },
  }, "Whole excerpt");
  new ResizeObserver(draw).observe(track);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  return { nodes: { track, time, whole }, update, setEdge };
}
