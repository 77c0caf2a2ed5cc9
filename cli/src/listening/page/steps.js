// The steps around the ratings: welcome, questionnaire, finish. Each returns its nodes and, where needed, how to leave it.

const KEYS = [
  ["Space", "play and pause"],
  ["A, B, C … or 1, 2, 3 …", "hear that mix"],
  ["R or 0", "hear the reference, where there is one"],
  ["← →", "move the focused mix by 1; with Shift by 5; Page Up and Page Down by 10; Home and End to the ends"],
  ["Tab", "go from mix to mix"],
  [", and .", "jump 2 s back and forward"],
  ["[ and ]", "set the start and the end of the loop to where the music is"],
  ["\\", "loop the whole excerpt again"],
  ["?", "show these keys"],
];

function keyHelp() {
  return element("details", { class: "keys" }, element("summary", {}, "Keyboard"),
    element("dl", {}, KEYS.map(([key, what]) => [element("dt", {}, key), element("dd", {}, what)])));
}

function welcomeStep(app) {
  const { test, session } = app;
  const start = (action) => () => { action(); app.show(); };
  const buttons = session.canResume
    ? [
        element("button", { type: "button", class: "primary", id: "resume", onclick: start(() => session.resume()) }, "Continue where I was"),
        element("button", { type: "button", id: "restart", onclick: start(() => { session.restart(); app.go(1); }) }, "Start anew"),
      ]
    : [element("button", { type: "button", class: "primary", id: "begin", onclick: () => app.go(1) }, "Begin")];
  return [
    element("p", { class: "lead" }, `You will hear ${test.songs.length === 1 ? "a song" : `${test.songs.length} songs`} in several mixes, and compare the mixes with each other. It takes about ${test.minutes} minutes.`),
    ...paragraphs(test.instructions),
    element("ul", { class: "facts" },
      element("li", {}, "Use good headphones if you can, in a quiet room."),
      element("li", {}, "All mixes are equally loud. Set a comfortable volume once, then leave it."),
      element("li", {}, "Everything stays in this page until you save your answers at the end. You can close it and continue later in the same browser.")),
    session.savesWork ? null : element("p", { class: "warning" }, "This browser does not let the page save your progress. Please do the test in one go."),
    session.canResume ? element("p", { class: "notice" }, "Your earlier answers are still here.") : null,
    element("div", { class: "actions" }, buttons),
  ];
}

function questionField(question, answers, changed) {
  const id = `answer-${question.id}`;
  const store = (value) => { answers[question.id] = value; changed(); };
  const value = answers[question.id] ?? "";
  const common = { id, name: question.id, value, required: !question.optional };
  if (question.kind === "choice") {
    const options = [element("option", { value: "" }, "Please choose"), ...question.choices.map((choice) => element("option", { value: choice }, choice))];
    const select = element("select", { ...common, onchange: (event) => store(event.target.value) }, options);
    select.value = value;
    return [element("label", { for: id }, question.text), select];
  }
  const number = question.kind === "number" ? { type: "number", min: 0, max: 1000, step: "any", inputMode: "decimal" } : { type: "text", maxLength: 500 };
  const input = element("input", { ...number, ...common, oninput: (event) => store(event.target.value.trim()) });
  return [element("label", { for: id }, question.text), input];
}

function questionsStep(app) {
  const { test, session } = app;
  const answers = session.state.questionnaire;
  const form = element("form", {
    noValidate: false,
    onsubmit: (event) => { event.preventDefault(); app.next(); },
  }, test.questions.map((question) => element("div", { class: "field" }, questionField(question, answers, () => session.save()))),
  element("div", { class: "actions" }, element("button", { type: "submit", class: "primary", id: "continue" }, "Continue")));
  return [form];
}

function fileName(state) {
  return `listening-${state.listener}.json`;
}

function finishStep(app) {
  const { test, session } = app;
  const { state } = session;
  if (!state.finished) {
    state.finished = new Date().toISOString();
    session.save();
  }
  const said = element("p", { class: "notice", role: "status", hidden: true });
  const say = (text) => { said.textContent = text; said.hidden = false; };
  const text = () => `${JSON.stringify(session.result(), null, 1)}\n`;
  const comment = element("textarea", {
    id: "comment", rows: 3, maxLength: 2000, value: state.comment,
    oninput: (event) => { state.comment = event.target.value; session.save(); },
  });
  function download() {
    const url = URL.createObjectURL(new Blob([text()], { type: "application/json" }));
    element("a", { href: url, download: fileName(state) }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    say("Saved. Please send this file to whoever asked you to take the test.");
  }
  async function post() {
    try {
      const reply = await fetch(test.postUrl, {
        method: "POST", body: text(), headers: { "Content-Type": "application/json" }, credentials: "omit", referrerPolicy: "no-referrer",
      });
      if (!reply.ok) throw new Error(`the server answered ${reply.status}`);
      say("Sent. Thank you!");
    } catch (error) {
      say(`Could not be sent (${error.message}). Please save the file instead.`);
    }
  }
  return [
    element("p", { class: "lead" }, "That was all. Thank you for listening so carefully!"),
    element("div", { class: "field" }, element("label", { for: "comment" }, "Anything you would like to tell us? (optional)"), comment),
    element("div", { class: "actions" },
      test.postUrl ? element("button", { type: "button", class: "primary", id: "post", onclick: post }, "Send my answers") : null,
      element("button", { type: "button", class: test.postUrl ? "" : "primary", id: "download", onclick: download }, "Save my answers")),
    said,
    element("p", { class: "fine" }, `Your answers are anonymous; they carry the number ${state.listener}.`),
    element("button", {
      type: "button", class: "quiet", id: "another",
      onclick: () => { if (confirm("Start anew for another listener? Save your answers first.")) { session.restart(); app.show(); } },
    }, "Another listener on this device"),
  ];
}
