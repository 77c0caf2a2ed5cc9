// Brings the steps in order and holds what they share: the test, the session, the audio clock, the keys.

const test = JSON.parse(document.getElementById("test").textContent);
const main = document.getElementById("main");
const session = createSession(test);

// Step 0 is the welcome; then questionnaire, check, practice, the pages, the end.
const FIRST_PAGE = 4;

const app = {
  test,
  session,
  player: null,
  onKey: null,
  onLeave: null,
  context: null,
  songInMemory: null,

  /** The audio clock. Browsers let it run only after a gesture; `wake` asks for that. */
  async audio(wake = true) {
    app.context ??= new AudioContext({ sampleRate: test.sampleRate, latencyHint: "interactive" });
    if (wake && app.context.state !== "running") await app.context.resume();
    return app.context;
  },

  /** Decoded audio of a song; only the latest is kept, a song is tens of megabytes. */
  async song(song, load) {
    if (app.songInMemory?.id !== song.id) {
      app.songInMemory = null;
      app.songInMemory = { id: song.id, loaded: await load(app, song) };
    }
    return app.songInMemory.loaded;
  },

  loading(ratio) {
    main.replaceChildren(element("p", { class: "loading", role: "status" }, `Loading the music … ${Math.round(100 * ratio)} %`));
  },

  go(step) {
    session.state.step = step;
    session.save();
    app.show();
  },

  next() {
    app.go(session.state.step + 1);
  },

  async show(welcome = false) {
    app.onLeave?.();
    app.onLeave = null;
    const { state } = session;
    const step = welcome ? 0 : state.step;
    const { title, build, progress } = stepOf(step, state);
    const heading = element("h1", { tabIndex: -1 }, title);
    try {
      const nodes = await build();
      main.replaceChildren(header(progress), heading, ...nodes.filter((node) => node !== null));
    } catch (error) {
      main.replaceChildren(heading, element("p", { class: "warning", role: "alert" },
        `The music cannot be played in this browser (${error.message}). Please try another one, such as a current Firefox or Chrome.`));
    }
    main.dataset.step = String(step);
    window.scrollTo(0, 0);
    if (!main.contains(document.activeElement)) heading.focus({ preventScroll: true });
  },
};

function stepOf(step, state) {
  if (step === 0) return { title: test.title, build: () => welcomeStep(app) };
  if (step === 1) return { title: "About you", build: () => questionsStep(app) };
  if (step === 2) return { title: "Sound check", build: () => checkStep(app) };
  const attributeOf = (page) => test.attributes.find((attribute) => attribute.id === page.attribute).name;
  if (step === 3) return { title: `Practice: ${attributeOf(state.training)}`, build: () => ratingStep(app, state.training, true) };
  const page = state.pages[step - FIRST_PAGE];
  if (!page) return { title: "Thank you", build: () => finishStep(app) };
  return { title: attributeOf(page), progress: step - FIRST_PAGE, build: () => ratingStep(app, page, false) };
}

function header(progress) {
  if (progress === undefined) return element("header", { class: "bar" }, element("span", {}, ""));
  const { pages } = session.state;
  const meter = element("progress", { max: pages.length, value: progress, "aria-label": "Progress" });
  return element("header", { class: "bar" }, element("span", {}, `Page ${progress + 1} of ${pages.length}`), meter);
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select");
  // A button keeps its own keys; otherwise Space would press it and pause as well.
  const pressing = event.key === " " && event.target.closest?.("button, summary");
  if (!app.onKey || typing || pressing || event.ctrlKey || event.altKey || event.metaKey) return;
  if (app.onKey(event)) event.preventDefault();
});
window.addEventListener("pagehide", () => session.save());

// For measurements of this very page: its player on any clock, and the one that plays now.
globalThis.tributaryListen = Object.freeze({ createPlayer, decodeAudio, app });

app.show(true);
