// Are both ears served, are these headphones, is it loud enough? Answers are recorded and never exclude anybody by themselves.
//
// The tone task is the headphone check of Woods, Siegel, Traer and McDermott (2017): one of three tones is 6 dB softer, and
// one is in opposite polarity, which loudspeakers in a room cancel, so that it seems to be the soft one.

const SIDES = ["left", "right"];
const TONE_TRIALS = 3;
const TONE_HZ = 200;
const TONE_S = 0.9;
const TONE_GAP_S = 0.35;
const TONE_GAIN = 0.2;

function envelopeAt(time, length) {
  const ramp = 0.1;
  return Math.sin((Math.PI / 2) * clamp(Math.min(time, length - time) / ramp, 0, 1)) ** 2;
}

function playSamples(context, channels) {
  const buffer = context.createBuffer(2, channels[0].length, context.sampleRate);
  channels.forEach((samples, channel) => buffer.copyToChannel(samples, channel));
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  source.start();
  return source;
}

/** A second of a soft chord on one side. */
function sideSignal(context, side) {
  const rate = context.sampleRate;
  const sound = Float32Array.from({ length: rate }, (_, frame) => {
    const time = frame / rate;
    const chord = [330, 415, 494].reduce((sum, hz) => sum + Math.sin(2 * Math.PI * hz * time), 0);
    return 0.08 * chord * envelopeAt(time, 1);
  });
  const silence = new Float32Array(rate);
  return side === "left" ? [sound, silence] : [silence, sound];
}

/** Three tones: `kinds` holds "full", "soft" and "opposite" in their order. */
function toneSignal(context, kinds) {
  const rate = context.sampleRate;
  const period = TONE_S + TONE_GAP_S;
  const frames = Math.ceil(kinds.length * period * rate);
  const channels = [new Float32Array(frames), new Float32Array(frames)];
  for (let frame = 0; frame < frames; frame += 1) {
    const time = frame / rate;
    const kind = kinds[Math.floor(time / period)] ?? "full";
    const within = time % period;
    if (within >= TONE_S) continue;
    const gain = TONE_GAIN * envelopeAt(within, TONE_S) * (kind === "soft" ? 0.5 : 1);
    const value = gain * Math.sin(2 * Math.PI * TONE_HZ * within);
    channels[0][frame] = value;
    channels[1][frame] = kind === "opposite" ? -value : value;
  }
  return channels;
}

function checkStep(app) {
  const { session } = app;
  const random = seededRandom(`check ${session.state.listener}`);
  const sideTrials = shuffled(SIDES, random).map((side) => ({ signal: (context) => sideSignal(context, side), right: side }));
  const toneTrials = Array.from({ length: TONE_TRIALS }, () => {
    const kinds = shuffled(["full", "soft", "opposite"], random);
    return { signal: (context) => toneSignal(context, kinds), right: String(kinds.indexOf("soft") + 1) };
  });
  const tasks = [
    { name: "sides", ask: "On which side is the sound?", answers: ["left", "both", "right"], trials: sideTrials },
    { name: "tones", ask: "Which of the three tones is the softest?", answers: ["1", "2", "3"], trials: toneTrials },
  ];
  const found = { sides_right: 0, sides: SIDES.length, tones_right: 0, tones: TONE_TRIALS, wrong_sides: false };
  const body = element("div", { class: "check" });

  function showTrial(task, trial) {
    const { signal, right } = tasks[task].trials[trial];
    const answers = tasks[task].answers.map((answer) => element("button", {
      type: "button", disabled: true, "data-answer": answer, onclick: () => answered(task, trial, answer === right),
    }, answer));
    const play = element("button", {
      type: "button", class: "primary", "data-right": right,
      onclick: async () => {
        const context = await app.audio();
        playSamples(context, signal(context));
        answers.forEach((button) => { button.disabled = false; });
      },
    }, "▶ Play");
    body.replaceChildren(
      element("p", { class: "count" }, `${tasks[task].name === "sides" ? "Sides" : "Tones"}, ${trial + 1} of ${tasks[task].trials.length}`),
      element("p", { class: "lead" }, tasks[task].ask),
      element("div", { class: "actions" }, play),
      element("div", { class: "answers", role: "group", "aria-label": "Answers" }, answers));
    play.focus();
  }

  function answered(task, trial, isRight) {
    if (isRight) found[`${tasks[task].name}_right`] += 1;
    if (trial + 1 < tasks[task].trials.length) showTrial(task, trial + 1);
    else if (task + 1 < tasks.length) showTrial(task + 1, 0);
    else showOutcome();
  }

  function showOutcome() {
    found.wrong_sides = found.sides_right < found.sides;
    session.state.check = found;
    session.save();
    const advice = [];
    if (found.wrong_sides) advice.push("Left and right seem to be swapped, or one side is missing. Please look at your headphones and the system's balance.");
    if (found.tones_right < found.tones - 1) advice.push("It seems that you are not using headphones, or that something mixes both sides. Please use headphones if you can.");
    body.replaceChildren(
      ...advice.map((text) => element("p", { class: "warning" }, text)),
      advice.length ? null : element("p", { class: "notice" }, "All is well."),
      element("p", {}, "On the next page, set the volume so that you hear details and nothing is unpleasantly loud. Then please leave it for the whole test."),
      element("div", { class: "actions" },
        element("button", { type: "button", class: "primary", id: "continue", onclick: () => app.next() }, "Continue"),
        element("button", { type: "button", onclick: () => app.show() }, "Check again")));
  }

  showTrial(0, 0);
  return [element("p", {}, "Five short sounds, to make sure that you hear what we think you hear."), body];
}
