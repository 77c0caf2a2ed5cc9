// One listener's way through the test: the order of pages, all answers, saved after every change and found after a reload.

const RESULT_FORMAT = "tributary-listen";
const RESULT_VERSION = 1;

/** Pages in this listener's order. Attributes of a song follow each other; repeats come last, with new handles. */
function planPages(test, random) {
  const pages = shuffled(test.songs, random).flatMap((song) =>
    shuffled(test.attributes, random).map((attribute) => ({ song, attribute, repeat: false })));
  // The page just before the repeats is not repeated when there is a choice: it would be remembered.
  const candidates = pages.length > test.repeats ? pages.slice(0, -1) : pages;
  const repeated = shuffled(candidates, random).slice(0, test.repeats).map((page) => ({ ...page, repeat: true }));
  return [...pages, ...repeated].map(({ song, attribute, repeat }) => ({
    song: song.id,
    attribute: attribute.id,
    repeat,
    order: shuffled(song.mixes.map((mix) => mix.id), random),
    ratings: {},
    heard_s: {},
    seconds: 0,
    comment: "",
  }));
}

/** A practice page; its ratings are kept out of the result. */
function planTraining(test, random) {
  const song = test.training ?? test.songs[0];
  const order = shuffled(song.mixes.map((mix) => mix.id), random);
  return { song: song.id, attribute: test.attributes[0].id, repeat: false, order, ratings: {}, heard_s: {}, seconds: 0, comment: "" };
}

function newState(test, listener) {
  const random = seededRandom(`${test.id} ${listener}`);
  return {
    format: RESULT_FORMAT,
    version: RESULT_VERSION,
    listener,
    started: new Date().toISOString(),
    finished: null,
    step: 0,
    questionnaire: {},
    check: null,
    comment: "",
    training: planTraining(test, random),
    pages: planPages(test, random),
  };
}

/** Keeps the state in the browser's storage; a browser that has none can still do the test in one go. */
function createSession(test) {
  const place = `tributary-listen ${test.id}`;
  let state = newState(test, randomIdentity());
  let saved = null;
  let works = true;
  try {
    const found = JSON.parse(localStorage.getItem(place) ?? "null");
    if (found?.format === RESULT_FORMAT && found.version === RESULT_VERSION && found.step > 0) saved = found;
  } catch {
    works = false;
  }
  const session = {
    get state() { return state; },
    /** Whether an earlier visit left something to go on with. */
    get canResume() { return saved !== null; },
    get savesWork() { return works; },
    resume() { state = saved; saved = null; },
    restart() { state = newState(test, randomIdentity()); saved = null; session.save(); },
    /** Does nothing as long as earlier answers wait to be gone on with: a visit that only looks must not lose them. */
    save() {
      if (saved) return;
      try {
        localStorage.setItem(place, JSON.stringify(state));
        works = true;
      } catch {
        works = false;
      }
    },
    /** What `tributary listen analyze` reads. */
    result() {
      const { format, version, listener, started, finished, questionnaire, check, comment, pages } = state;
      return {
        format, version, test: { id: test.id, key: test.key }, listener, started, finished,
        complete: pages.every((page) => page.order.every((mix) => mix in page.ratings)),
        questionnaire, check, comment, pages,
      };
    },
  };
  return session;
}
