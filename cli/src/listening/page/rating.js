// The page that all is about: one song, one attribute, one axis. Also the practice page, whose ratings do not count.

// A mix counts as heard after this long.
const HEARD_S = 1;
const TICK_MS = 100;

async function loadSong(app, song) {
  const context = await app.audio(false);
  const indices = song.mixes.map((mix) => mix.audio);
  if (song.reference !== null) indices.push(song.reference);
  const mixes = [];
  for (const [done, index] of indices.entries()) {
    app.loading(done / indices.length);
    mixes.push(await decodeAudio(context, index));
  }
  return { context, mixes };
}

/** Builds the page of `page` (an entry of the session's pages) once its audio is decoded. */
async function ratingStep(app, page, practice) {
  const { test, session } = app;
  const song = practice ? (test.training ?? test.songs[0]) : test.songs.find((one) => one.id === page.song);
  const attribute = test.attributes.find((one) => one.id === page.attribute);
  const { context, mixes } = await app.song(song, loadSong);
  // Handle i plays mix order[i]; the reference, when there is one, comes last in the audio.
  const audioOf = page.order.map((id) => song.mixes.findIndex((mix) => mix.id === id));
  const player = createPlayer(context, mixes);
  app.player = player;
  const timeline = createTimeline(player, mixes);
  const values = page.order.map((id) => page.ratings[id] ?? null);
  let current = -1;
  let wantsMissing = false;

  const scale = createScale({
    attribute,
    values,
    onSelect: (index) => hear(index),
    onRate(index, value) {
      page.ratings[page.order[index]] = value;
      session.save();
      update();
    },
  });

  const said = element("p", { class: "said", role: "status" });
  const live = element("p", { class: "visually-hidden", "aria-live": "polite" });
  const play = element("button", { type: "button", class: "play", id: "play", onclick: toggle });
  const reference = song.reference === null ? null : element("button", {
    type: "button", class: "reference", id: "reference", "aria-pressed": "false", onclick: () => hear(-2),
  }, "Reference");
  const next = element("button", { type: "button", class: "primary", id: "next", onclick: leave }, practice ? "Start the test" : "Next");

  async function hear(index) {
    await app.audio();
    player.select(index === -2 ? song.mixes.length : audioOf[index]);
    if (index !== current) live.textContent = index === -2 ? "Playing the reference" : `Playing mix ${letterOf(index)}`;
    current = index;
    scale.select(index);
    reference?.setAttribute("aria-pressed", String(index === -2));
    if (!player.playing) player.play();
    update();
  }

  async function toggle() {
    await app.audio();
    if (player.playing) player.pause();
    else if (current === -1) hear(0);
    else player.play();
    update();
  }

  const lettersOf = (ids) => ids.map((id) => letterOf(page.order.indexOf(id))).sort().join(", ");

  function missing() {
    const unrated = page.order.filter((id) => !(id in page.ratings));
    const unheard = page.order.filter((id) => (page.heard_s[id] ?? 0) < HEARD_S);
    const parts = [];
    if (unrated.length) parts.push(`still to rate: ${lettersOf(unrated)}`);
    if (unheard.length) parts.push(`still to hear: ${lettersOf(unheard)}`);
    return parts.join(" · ");
  }

  function update() {
    const text = missing();
    next.setAttribute("aria-disabled", String(text !== ""));
    said.textContent = text === "" ? "Everything is rated. Listen again as often as you like." : wantsMissing ? `${text[0].toUpperCase()}${text.slice(1)}.` : "";
    said.classList.toggle("urgent", wantsMissing && text !== "");
    play.textContent = player.playing ? "❚❚" : "▶";
    play.setAttribute("aria-label", player.playing ? "Pause" : "Play");
    timeline.update();
  }

  function leave() {
    if (missing() !== "") {
      wantsMissing = true;
      update();
      return;
    }
    app.next();
  }

  let ticked = performance.now();
  let unsaved_s = 0;
  const ticker = setInterval(() => {
    const now = performance.now();
    // A page that slept in the background was not looked at: long gaps count as one second.
    const seconds = Math.min(1, (now - ticked) / 1000);
    ticked = now;
    page.seconds = round(page.seconds + seconds);
    if (player.playing && current >= 0) {
      const id = page.order[current];
      page.heard_s[id] = round((page.heard_s[id] ?? 0) + seconds);
    }
    unsaved_s += seconds;
    if (unsaved_s > 2) {
      unsaved_s = 0;
      session.save();
    }
    update();
  }, TICK_MS);
  const round = (value) => Math.round(value * 1000) / 1000;

  app.onKey = (event) => {
    const index = /^[a-z]$/i.test(event.key) ? event.key.toUpperCase().charCodeAt(0) - 65 : /^[1-9]$/.test(event.key) ? Number(event.key) - 1 : -1;
    if (event.key === " ") toggle();
    else if ((event.key === "0" || /^r$/i.test(event.key)) && reference) hear(-2);
    else if (index >= 0 && index < page.order.length) { hear(index); scale.focus(index); }
    else if (event.key === ",") player.seek(player.position - 2);
    else if (event.key === ".") player.seek(player.position + 2);
    else if (event.key === "[") timeline.setEdge("start", player.position);
    else if (event.key === "]") timeline.setEdge("end", player.position);
    else if (event.key === "\\") player.setLoop(0, player.duration);
    else if (event.key === "?") help.open = !help.open;
    else return false;
    update();
    return true;
  };
  app.onLeave = () => {
    clearInterval(ticker);
    player.close();
    app.player = null;
    app.onKey = null;
    session.save();
  };

  const help = keyHelp();
  const comment = element("input", {
    type: "text", id: "comment", maxLength: 500, value: page.comment, placeholder: "Why? (optional)", "aria-label": "Comment (optional)",
    oninput: (event) => { page.comment = event.target.value; session.save(); },
  });
  scale.select(-1);
  update();
  return [
    attribute.question ? element("p", { class: "lead" }, attribute.question) : null,
    practice ? element("div", { class: "notice" },
      element("p", {}, "Practice: nothing here counts. Set the volume now."),
      element("p", {}, "Press a letter to hear that mix; the music goes on without a gap. Drag the letter onto the line, or use the arrow keys. What matters is where the mixes stand to each other.")) : null,
    element("section", { class: "card", "aria-label": "Player" },
      element("div", { class: "transport" }, play, timeline.nodes.track, element("div", { class: "side" }, timeline.nodes.time, timeline.nodes.whole)),
      reference ? element("div", { class: "references" }, reference, element("span", { class: "fine" }, "for orientation, not rated")) : null),
    element("section", { class: "card", "aria-label": "Ratings" }, scale.node),
    live,
    practice ? null : comment,
    element("div", { class: "actions end" }, said, next),
    help,
  ];
}
