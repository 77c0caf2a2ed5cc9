// Plays one of several mixes and switches between them without a click and without losing a sample.
//
// All mixes are channels of ONE buffer that ONE source node plays: they cannot drift apart, whatever is done to the loop.
// A gain per mix lets one of them through. A region is played pass by pass, each scheduled ahead on the audio clock
// with short fades at its ends, because a loop point in music would click.

const SWITCH_S = 0.01;
const PASS_FADE_S = 0.005;
// How far ahead of the clock changes are scheduled: what the page believes to be "now" may already be rendered.
const AHEAD_S = 0.02;
// Passes are scheduled to this far ahead; timers of hidden tabs fire once a second only.
const HORIZON_S = 3;
const SHORTEST_LOOP_S = 0.5;

/**
 * A player on `context` (also an OfflineAudioContext). `mixes` are pairs of channels, Float32Array, equally long, at the
 * context's rate. `output` is where the sound goes.
 */
function createPlayer(context, mixes, output = context.destination) {
  const frames = mixes[0][0].length;
  const duration = frames / context.sampleRate;
  const buffer = context.createBuffer(2 * mixes.length, frames, context.sampleRate);
  mixes.flat().forEach((samples, channel) => buffer.copyToChannel(samples, channel));

  const splitter = context.createChannelSplitter(2 * mixes.length);
  const transport = new GainNode(context, { gain: 0 });
  transport.connect(output);
  const gains = mixes.map((_, mix) => {
    const merger = context.createChannelMerger(2);
    const gain = new GainNode(context, { gain: mix === 0 ? 1 : 0 });
    splitter.connect(merger, 2 * mix, 0);
    splitter.connect(merger, 2 * mix + 1, 1);
    merger.connect(gain).connect(transport);
    return gain.gain;
  });

  let selected = 0;
  let playing = false;
  let loop = { start: 0, end: duration };
  let resumeAt = 0;
  let passes = [];
  let switchedBy = 0;
  let transportedBy = 0;
  let timer = null;

  const soon = () => context.currentTime + AHEAD_S + (context.baseLatency ?? 0);

  /** One straight line from a value to another. Lines never overlap, so no scheduled event is ever taken back. */
  function line(parameter, from, to, start, length) {
    parameter.setValueAtTime(from, start);
    parameter.linearRampToValueAtTime(to, start + length);
  }

  function addPass(start, offset, end) {
    const length = end - offset;
    const envelope = new GainNode(context, { gain: 0, channelInterpretation: "discrete" });
    const source = new AudioBufferSourceNode(context, { buffer });
    line(envelope.gain, 0, 1, start, PASS_FADE_S);
    line(envelope.gain, 1, 0, start + length - PASS_FADE_S, PASS_FADE_S);
    source.connect(envelope).connect(splitter);
    source.start(start, offset, length);
    source.onended = () => envelope.disconnect();
    passes.push({ source, start, offset, end });
  }

  /** Schedules passes up to the horizon and forgets those that are over. */
  function topUp() {
    passes = passes.filter((pass) => pass.start + pass.end - pass.offset > context.currentTime - 1);
    for (;;) {
      const last = passes.at(-1);
      const next = last.start + last.end - last.offset;
      if (next > context.currentTime + HORIZON_S) return;
      addPass(next, loop.start, loop.end);
    }
  }

  function start(position) {
    const at = Math.max(soon(), transportedBy);
    const offset = position >= loop.start && position < loop.end - 2 * PASS_FADE_S ? position : loop.start;
    passes = [];
    addPass(at, offset, loop.end);
    line(transport.gain, 0, 1, at, SWITCH_S);
    transportedBy = at + SWITCH_S;
    playing = true;
    topUp();
    timer ??= setInterval(topUp, 500);
  }

  function stop() {
    resumeAt = player.position;
    const at = Math.max(soon(), transportedBy);
    line(transport.gain, 1, 0, at, SWITCH_S);
    transportedBy = at + SWITCH_S;
    passes.forEach(({ source }) => source.stop(transportedBy));
    clearInterval(timer);
    timer = null;
    playing = false;
  }

  /** Runs a change of the transport while nothing sounds, then goes on from `position`. */
  function moveTo(position, change = () => {}) {
    const wasPlaying = playing;
    if (wasPlaying) stop();
    change();
    resumeAt = clamp(position, 0, duration);
    if (wasPlaying) start(resumeAt);
  }

  const player = {
    duration,
    topUp,
    get selected() { return selected; },
    get playing() { return playing; },
    get loop() { return { ...loop }; },
    /** Where in the excerpt what sounds now lies, in seconds. */
    get position() {
      if (!playing) return resumeAt;
      const now = context.currentTime;
      const pass = passes.findLast((one) => one.start <= now) ?? passes[0];
      return clamp(pass.offset + Math.max(0, now - pass.start), pass.offset, pass.end);
    },
    play() {
      if (!playing) start(resumeAt);
    },
    pause() {
      if (playing) stop();
    },
    seek(position) {
      moveTo(position);
    },
    /** Plays `start..end` in seconds again and again; at least half a second. */
    setLoop(from, to) {
      const shortest = Math.min(SHORTEST_LOOP_S, duration);
      const start = clamp(from, 0, duration - shortest);
      moveTo(player.position, () => { loop = { start, end: clamp(to, start + shortest, duration) }; });
    },
    /**
     * Lets another mix through. The gains of the two cross in straight lines and add up to one at every instant: mixes of
     * one song are alike, and alike signals would swell by 3 dB in an equal-power crossfade.
     */
    select(mix) {
      if (mix === selected) return;
      const at = Math.max(soon(), switchedBy);
      line(gains[selected], 1, 0, at, SWITCH_S);
      line(gains[mix], 0, 1, at, SWITCH_S);
      switchedBy = at + SWITCH_S;
      selected = mix;
    },
    /** Ends for good and frees the audio. */
    close() {
      player.pause();
      setTimeout(() => transport.disconnect(), 200);
    },
  };
  return player;
}

/** The audio of the page's element `audio-…`, decoded at the context's rate, which is its own. */
async function decodeAudio(context, index) {
  const text = document.getElementById(`audio-${index}`).textContent;
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const decoded = await context.decodeAudioData(bytes.buffer);
  return [0, 1].map((channel) => decoded.getChannelData(Math.min(channel, decoded.numberOfChannels - 1)));
}
